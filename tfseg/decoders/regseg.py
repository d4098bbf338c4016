"""RegSeg's decoder."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.layers import resize
from tfseg.types import Maps, Shapes, Tensor


@keras.saving.register_keras_serializable("tfseg")
class RegSegDecoder(Decoder):
    """Adds the coarse maps to those at half their stride, and sets these beside the finest.

    Gao, "Rethinking Dilated Convolution for Real-time Semantic Segmentation", 2021, section 3.4.

    Args:
        num_classes, levels, conv: see `Decoder`; the scores have the first level's resolution.
        width: channels of the sum.
        detail_width: channels that the finest level is reduced to.
    """

    output_levels = {"logits": 0}  # noqa: RUF012

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        width: int = 128,
        detail_width: int = 8,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.width = width
        self.detail_width = detail_width
        self.coarse = self._unit(width, 1, "coarse")
        self.middle = self._unit(width, 1, "middle")
        self.fine = self._unit(detail_width, 1, "fine")
        self.refine1 = self._unit(width // 2, 3, "refine1")
        self.refine2 = self._unit(width // 2, 3, "refine2")
        self.classifier = self._classifier()

    def build(self, input_shape: Shapes) -> None:
        build_chain([self.coarse], self.channels(input_shape))
        context = build_chain([self.middle, self.refine1], self.channels(input_shape, 1))
        detail = build_chain([self.fine], self.channels(input_shape, 0))
        build_chain([self.refine2, self.classifier], context + detail)

    def call(self, features: Maps, training: bool = False) -> Maps:
        def beside(maps: Tensor, other: Tensor) -> Tensor:
            return resize(maps, ops.shape(other)[1:3])

        coarse = self.coarse(features[self.levels[-1]], training=training)
        middle = self.middle(features[self.levels[1]], training=training)
        fine = self.fine(features[self.levels[0]], training=training)
        context = self.refine1(middle + beside(coarse, middle), training=training)
        maps = ops.concatenate([beside(context, fine), fine], -1)
        return {"logits": self.classifier(self.refine2(maps, training=training))}

    def get_config(self) -> dict[str, Any]:
        names = ("width", "detail_width")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
