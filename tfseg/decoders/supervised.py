"""The base of decoders that may have deep supervision."""

from collections.abc import Sequence
from typing import Any

from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.layers import ChannelDropout
from tfseg.types import Maps, Shapes, Tensor


class Supervised(Decoder):
    """A decoder that may have an auxiliary branch on the last level but one.

    Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.3: 3x3 convolution, batch
    norm, ReLU, dropout, class scores; it helps training and is left alone afterwards.

    Args:
        num_classes, levels, conv: see `Decoder`.
        deep_supervision: whether there is the branch, with the output "aux_logits".
        dropout: share of channels dropped before the class scores.
    """

    # The level of whose channels the branch has a quarter: the ADE20K code's choice.
    aux_width_level = -1

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        deep_supervision: bool = False,
        dropout: float = 0.0,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.deep_supervision = deep_supervision
        self.rate = dropout
        self.classifier = self._classifier()
        self.dropout = ChannelDropout(dropout, name="dropout")
        if deep_supervision:
            self.output_levels = {"logits": -1, "aux_logits": -2}
            self.aux_classifier = self._classifier("aux_classifier")
            self.aux_dropout = ChannelDropout(dropout, name="aux_dropout")

    def build(self, input_shape: Shapes) -> None:
        self.dropout.build()
        if self.deep_supervision:
            self.aux_dropout.build()
            width = self.channels(input_shape, self.aux_width_level) // 4
            self.aux_conv = self._unit(width, 3, "aux_conv")
            build_chain([self.aux_conv, self.aux_classifier], self.channels(input_shape, -2))

    def call(self, features: Maps, training: bool = False) -> Maps:
        maps = self.dropout(self.decode(features, training), training=training)
        outputs = {"logits": self.classifier(maps)}
        if self.deep_supervision:
            maps = self.aux_conv(features[self.levels[-2]], training=training)
            maps = self.aux_dropout(maps, training=training)
            outputs["aux_logits"] = self.aux_classifier(maps)
        return outputs

    def decode(self, features: Maps, training: bool) -> Tensor:
        """The maps [N, h, w, c] that the class scores are computed from."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "deep_supervision": self.deep_supervision,
            "dropout": self.rate,
        }
