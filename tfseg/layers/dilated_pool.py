"""Max and average pooling whose taps are spaced, as those of a dilated convolution are."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tfseg.errors import unknown

MODES = ("max", "average")


@keras.saving.register_keras_serializable("tfseg")
class DilatedPool2D(keras.layers.Layer):
    """What becomes of a pooling layer in a network that gives up stride for dilation.

    Chen et al., "DeepLab", TPAMI 2018, section 3.1: the "hole" algorithm, which holds for pooling
    as it does for convolutions.

    Args:
        mode: "max" or "average".
        pool_size: (rows, columns) of the window.
        strides: an int.
        dilation_rate: an int, the spacing of the window's taps.
        padding: ((top, bottom), (left, right)) pixels, which no maximum and no average counts.

    Input [N, H, W, C], output [N, h, w, C], with h = (H + top + bottom - (rows - 1) *
    dilation_rate - 1) // strides + 1 and w alike.

    Raises:
        TfsegError: unknown `mode`.
    """

    def __init__(
        self,
        mode: str,
        pool_size: Sequence[int],
        strides: int = 1,
        dilation_rate: int = 1,
        padding: Sequence[Sequence[int]] = ((0, 0), (0, 0)),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if mode not in MODES:
            raise unknown("mode of pooling", mode, MODES)
        self.mode = mode
        self.pool_size = tuple(pool_size)
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.padding = tuple(tuple(side) for side in padding)

    def call(self, inputs: Any) -> Any:
        # A window that lies in the padding alone gives zero.
        if self.mode == "max":
            maps = self._combine(inputs, ops.maximum, -float("inf"))
            return ops.where(ops.isinf(maps), 0.0, maps) if self._hangs_over() else maps
        sums = self._combine(inputs, ops.add, 0.0)
        if not any(sum(side) for side in self.padding):
            return sums / (self.pool_size[0] * self.pool_size[1])
        counts = self._combine(ops.ones_like(inputs[:1, :, :, :1]), ops.add, 0.0)
        return sums / ops.maximum(counts, 1.0)

    def _hangs_over(self) -> bool:
        return any(
            max(side) > (taps - 1) * self.dilation_rate
            for side, taps in zip(self.padding, self.pool_size, strict=True)
        )

    def _combine(self, maps: Any, combine: Callable[[Any, Any], Any], border: float) -> Any:
        """One axis after the other: a maximum of maxima, a sum of sums."""
        maps = ops.pad(maps, ((0, 0), *self.padding, (0, 0)), constant_values=border)
        for axis, taps in enumerate(self.pool_size, 1):
            total = None
            for tap in range(taps):
                end = (tap + 1 - taps) * self.dilation_rate or None
                part = slice(tap * self.dilation_rate, end, self.strides)
                value = maps[(slice(None),) * axis + (part,)]
                total = value if total is None else combine(total, value)
            maps = total
        return maps

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *sizes, channels = input_shape
        outputs = []
        for size, taps, sides in zip(sizes, self.pool_size, self.padding, strict=True):
            room = None if size is None else size + sum(sides) - (taps - 1) * self.dilation_rate
            outputs.append(room if room is None else (room - 1) // self.strides + 1)
        return (batch, *outputs, channels)

    def get_config(self) -> dict[str, Any]:
        names = ("mode", "pool_size", "strides", "dilation_rate", "padding")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
