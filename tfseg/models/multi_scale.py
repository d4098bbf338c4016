"""The multi-scale wrapper: one network looks at an image in several sizes.

Chen et al., "DeepLab", TPAMI 2018, section 4.1.2 ("multi-scale inputs"); the maximum over scales is
Chen et al., "Attention to Scale", CVPR 2016, section 3.1.
"""

import fractions
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import ops

from tfseg.checks import are_numbers
from tfseg.errors import TfsegError
from tfseg.layers import interpolate, positions_dtype, resize, resize_legacy
from tfseg.types import Maps, Shape, Tensor


def check_scales(scales: Any) -> tuple[float, ...]:
    """The scales as a tuple.

    Raises:
        TfsegError: not a list of different positive numbers, one of them 1.
    """
    values = tuple(scales) if isinstance(scales, (list, tuple)) else ()
    # Outputs are called by their scales, to six digits.
    different = are_numbers(values, 0, 8) and len({f"{x:g}" for x in values}) == len(values)
    if not different or 1 not in values or 0 in values or len(values) > 16:
        raise TfsegError(
            "`multi_scale` must be up to 16 different positive scales, one of them 1 and none "
            f"above 8, such as 1,0.75,0.5, not {str(scales)[:100]}"
        )
    return values


def scaled_name(name: str, scale: float) -> str:
    """What the output `name` is called at one scale."""
    return f"{name}_{scale:g}"


def size_period(output_stride: int, scales: Iterable[float] | None) -> int:
    """Pixels after which the sizes of maps at all scales repeat, each some whole number larger."""
    return output_stride * math.lcm(*(_ratio(scale).denominator for scale in scales or (1,)))


def _ratio(scale: float) -> fractions.Fraction:
    # Exact arithmetic, so that a size known only in the graph comes out as a static one.
    return fractions.Fraction(scale).limit_denominator(1000)


def apply_at_scales(
    network: Callable[[Tensor], Maps], images: Tensor, scales: Sequence[float], legacy: bool = False
) -> dict[str, Tensor]:
    """The outputs of a network at each scale, and their element-wise maximum.

    Args:
        network: function from images [N, H, W, C] to {name: [N, h, w, C]}.
        images: symbolic images.
        scales: see `check_scales`.
        legacy: resize as TensorFlow 1 does.

    Returns:
        {name: the maximum over the scales at the size that scale 1 has, name_1: ..., name_0.75: ...
        at their own sizes}.
    """
    by_scale = {}
    for scale in scales:
        resized = images if scale == 1 else Rescale(scale, legacy, name=f"scale_{scale:g}")(images)
        by_scale[scale] = network(resized)
    outputs = {}
    for name in by_scale[1]:
        maps = {scale: by_scale[scale][name] for scale in scales}
        others = [value for scale, value in maps.items() if scale != 1]
        outputs[name] = MaximumOverScales(legacy, name=f"{name}_maximum")([maps[1], *others])
        outputs.update({scaled_name(name, scale): value for scale, value in maps.items()})
    return outputs


@keras.saving.register_keras_serializable("tfseg")
class Rescale(keras.layers.Layer):
    """Images [N, H, W, C] at floor(scale * H) x floor(scale * W) pixels, at least 1x1, bilinear.

    Pixel i lies at (i + 0.5) / scale - 0.5, so the scale is exact where the size had to be rounded,
    as in PyTorch's `interpolate` with a scale factor.

    Args:
        scale: a positive number.
        legacy: pixel i lies at i * H / (rounded size), as in TensorFlow 1.
    """

    def __init__(self, scale: float, legacy: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale
        self.legacy = legacy
        self._ratio = _ratio(scale)

    def _scaled(self, size: Any) -> Any:
        scaled = size * self._ratio.numerator // self._ratio.denominator
        # Of a number that is known, jax would make one that is not, and lengths have to be.
        return max(scaled, 1) if isinstance(scaled, int) else ops.maximum(scaled, 1)

    def call(self, inputs: Tensor) -> Tensor:
        if self.legacy:
            lengths = ops.shape(inputs)[1:3]
            height, width = (self._scaled(n) for n in lengths)
            return resize_legacy(inputs, (height, width))
        return self._interpolate(self._interpolate(inputs, 1), 2)

    def _interpolate(self, inputs: Tensor, axis: int) -> Tensor:
        length = ops.shape(inputs)[axis]
        pixels = ops.arange(self._scaled(length))
        dtype = positions_dtype(inputs)
        last = ops.cast(length - 1, dtype)
        positions = ops.clip((ops.cast(pixels, dtype) + 0.5) / self.scale - 0.5, 0.0, last)
        return interpolate(inputs, positions, axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = [None if size is None else self._scaled(size) for size in input_shape[1:3]]
        return (input_shape[0], *sizes, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "legacy": self.legacy}


@keras.saving.register_keras_serializable("tfseg")
class MaximumOverScales(keras.layers.Layer):
    """The element-wise maximum of maps [N, h, w, C], bilinearly resized to the first one's size.

    Args:
        legacy: resize as TensorFlow 1 does.
    """

    def __init__(self, legacy: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.legacy = legacy

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        first, *others = inputs
        size = ops.shape(first)[1:3]
        for maps in others:
            resized = resize_legacy(maps, size) if self.legacy else resize(maps, size)
            first = ops.maximum(first, resized)
        return first

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "legacy": self.legacy}
