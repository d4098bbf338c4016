"""UPerNet: pyramid pooling on top of a feature pyramid.

Xiao et al., "Unified Perceptual Parsing for Scene Understanding", ECCV 2018, section 3.1;
Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 3.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.decoders.ppm import PyramidPooling
from tfseg.layers import resize
from tfseg.types import Maps, Shapes


@keras.saving.register_keras_serializable("tfseg")
class UPerNet(Decoder):
    """Pooled top level, top-down sums with lateral 1x1 convolutions, fusion at the finest level.

    Args:
        num_classes, levels, conv: see `Decoder`; the scores have the first level's resolution.
        bins, width: of the pyramid pooling.
        pyramid_width: channels of the feature pyramid.
    """

    output_levels = {"logits": 0}  # noqa: RUF012

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        bins: Sequence[int] = (1, 2, 3, 6),
        width: int = 512,
        pyramid_width: int = 512,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.width = width
        self.pyramid_width = pyramid_width
        self.pooling = PyramidPooling(
            bins, width, True, self.conv, name="pooling", dtype=self.dtype_policy
        )
        numbers = range(1, len(self.levels))
        self.top = self._unit(pyramid_width, 3, "top")
        self.laterals = [self._unit(pyramid_width, 1, f"lateral{n}") for n in numbers]
        self.smooths = [self._unit(pyramid_width, 3, f"smooth{n}") for n in numbers]
        self.fuse = self._unit(pyramid_width, 3, "fuse")
        self.classifier = self._classifier()

    def build(self, input_shape: Shapes) -> None:
        build_chain([self.pooling, self.top], self.channels(input_shape))
        for level, lateral in enumerate(self.laterals):
            build_chain([lateral], self.channels(input_shape, level))
        for smooth in self.smooths:
            build_chain([smooth], self.pyramid_width)
        build_chain([self.fuse, self.classifier], len(self.levels) * self.pyramid_width)

    def call(self, features: Maps, training: bool = False) -> Maps:
        maps = self.pooling(features[self.levels[-1]], training=training)
        maps = self.top(maps, training=training)
        pyramid = [maps]
        for level in reversed(range(len(self.laterals))):
            lateral = self.laterals[level](features[self.levels[level]], training=training)
            maps = lateral + resize(maps, ops.shape(lateral)[1:3])
            pyramid.insert(0, self.smooths[level](maps, training=training))
        size = ops.shape(pyramid[0])[1:3]
        pyramid = [pyramid[0], *(resize(maps, size) for maps in pyramid[1:])]
        fused = self.fuse(ops.concatenate(pyramid, -1), training=training)
        return {"logits": self.classifier(fused)}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bins": self.pooling.bins,
            "width": self.width,
            "pyramid_width": self.pyramid_width,
        }
