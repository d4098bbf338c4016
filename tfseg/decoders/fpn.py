"""The semantic branch of a feature pyramid network.

Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019, section 3.1 and figure 3, over the
pyramid of Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, section 3.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.layers import Conv2D, resize
from tfseg.types import Maps, Shapes, Tensor


@keras.saving.register_keras_serializable("tfseg")
class FPN(Decoder):
    """Top-down sums with lateral 1x1 convolutions; each level is brought to the finest and summed.

    A level gets there one level at a time, by a 3x3 convolution, batch norm (the paper has group
    norm), ReLU and resizing.

    Args:
        num_classes, levels, conv: see `Decoder`; the scores have the first level's resolution.
        pyramid_width: channels of the feature pyramid.
        width: channels of the sum.
    """

    output_levels = {"logits": 0}  # noqa: RUF012

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        pyramid_width: int = 256,
        width: int = 128,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.pyramid_width = pyramid_width
        self.width = width
        numbers = range(1, len(self.levels) + 1)
        self.laterals = [self._pyramid(1, f"lateral{n}") for n in numbers]
        self.smooths = [self._pyramid(3, f"smooth{n}") for n in numbers]
        # The first level has one, level n has n - 1.
        self.steps = [
            [self._unit(width, 3, f"level{n}_step{step}") for step in range(1, max(n, 2))]
            for n in numbers
        ]
        # Keras 3.12 saves no layers of lists in lists: files would lack them.
        self.units = [step for steps in self.steps for step in steps]
        self.classifier = self._classifier()

    def _pyramid(self, kernel_size: int, name: str) -> Conv2D:
        padding = self.conv.get("padding", "symmetric")
        return Conv2D(
            self.pyramid_width,
            kernel_size,
            padding=padding,
            use_bias=True,
            name=name,
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Shapes) -> None:
        for level, lateral in enumerate(self.laterals):
            build_chain([lateral], self.channels(input_shape, level))
        for smooth, steps in zip(self.smooths, self.steps, strict=True):
            build_chain([smooth, *steps], self.pyramid_width)
        build_chain([self.classifier], self.width)

    def call(self, features: Maps, training: bool = False) -> Maps:
        pyramid: list[Tensor] = []
        for level in reversed(range(len(self.levels))):
            maps = self.laterals[level](features[self.levels[level]])
            if pyramid:
                maps = maps + resize(pyramid[0], ops.shape(maps)[1:3])
            pyramid.insert(0, maps)
        sizes = [ops.shape(maps)[1:3] for maps in pyramid]
        total = 0
        for level, (smooth, steps) in enumerate(zip(self.smooths, self.steps, strict=True)):
            maps = smooth(pyramid[level])
            for number, step in enumerate(steps, 1):
                maps = step(maps, training=training)
                if level:
                    maps = resize(maps, sizes[level - number])
            total = total + maps
        return {"logits": self.classifier(total)}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pyramid_width": self.pyramid_width,
            "width": self.width,
        }
