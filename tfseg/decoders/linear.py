"""The smallest decoder: one 1x1 convolution on the encoder's output."""

from collections.abc import Sequence
from typing import Any

import keras

from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.types import Maps, Shapes


@keras.saving.register_keras_serializable("tfseg")
class Linear(Decoder):
    """A 1x1 convolution to class scores.

    DRN segmenters end so (Yu et al., "Dilated Residual Networks", section 5.3), and the network
    whose weights DeepLab v2 starts from on COCO. See `Decoder` for arguments and shapes.
    """

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.classifier = self._classifier()

    def build(self, input_shape: Shapes) -> None:
        build_chain([self.classifier], self.channels(input_shape))

    def call(self, features: Maps) -> Maps:
        return {"logits": self.classifier(features[self.levels[-1]])}
