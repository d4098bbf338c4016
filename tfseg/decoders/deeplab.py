"""DeepLab v3 and v3+."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.decoders.aspp import ASPP
from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.layers import resize
from tfseg.types import Maps, Shapes, Tensor


@keras.saving.register_keras_serializable("tfseg")
class DeepLabV3(Decoder):
    """ASPP with image pooling, a 1x1 convolution that fuses it, and class scores.

    Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017,
    section 3.3.

    Args:
        num_classes, levels, conv: see `Decoder`.
        atrous_rates: dilation rates of the ASPP; the default is the paper's at output stride 16.
        width: channels of its branches.
    """

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        atrous_rates: Sequence[int] = (6, 12, 18),
        width: int = 256,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.width = width
        self.aspp = ASPP(atrous_rates, width, self.conv, name="aspp", dtype=self.dtype_policy)
        self.fuse = self._unit(width, 1, "fuse")
        self.classifier = self._classifier()

    def build(self, input_shape: Shapes) -> None:
        build_chain([self.aspp, self.fuse, self.classifier], self.channels(input_shape))

    def _context(self, features: Maps, training: bool) -> Tensor:
        maps = self.aspp(features[self.levels[-1]], training=training)
        return self.fuse(maps, training=training)

    def call(self, features: Maps, training: bool = False) -> Maps:
        return {"logits": self.classifier(self._context(features, training))}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "atrous_rates": self.aspp.atrous_rates,
            "width": self.width,
        }


@keras.saving.register_keras_serializable("tfseg")
class DeepLabV3Plus(DeepLabV3):
    """DeepLab v3's context, refined beside the finest level's features.

    Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
    Segmentation", ECCV 2018, sections 3.1 and 4.1. The scores have the first level's resolution.

    Args:
        low_level_width: channels that the finest level is reduced to.
        num_classes, levels, atrous_rates, width, conv: see `DeepLabV3`.
    """

    output_levels = {"logits": 0}  # noqa: RUF012

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        atrous_rates: Sequence[int] = (6, 12, 18),
        width: int = 256,
        low_level_width: int = 48,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, atrous_rates, width, conv, **kwargs)
        self.low_level_width = low_level_width
        self.reduce = self._unit(low_level_width, 1, "reduce")
        self.refine1 = self._unit(width, 3, "refine1")
        self.refine2 = self._unit(width, 3, "refine2")

    def build(self, input_shape: Shapes) -> None:
        context = build_chain([self.aspp, self.fuse], self.channels(input_shape))
        detail = build_chain([self.reduce], self.channels(input_shape, 0))
        build_chain([self.refine1, self.refine2, self.classifier], context + detail)

    def call(self, features: Maps, training: bool = False) -> Maps:
        detail = self.reduce(features[self.levels[0]], training=training)
        context = resize(self._context(features, training), ops.shape(detail)[1:3])
        maps = self.refine1(ops.concatenate([context, detail], -1), training=training)
        return {"logits": self.classifier(self.refine2(maps, training=training))}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low_level_width": self.low_level_width}
