"""How large a model's maps are, also for images whose size only the graph knows."""

import functools
from typing import Any

import numpy as np
from keras import ops

from tfseg.types import Size


class OutputSizes:
    """The height and width of each of a model's outputs.

    Every layer's size grows by one where its input's grows by its stride, so an output's size is
    the one at the remainder of a period, and a fixed step for each whole period.

    Args:
        model: a `Segmenter`, or what else has `compute_output_shape`, `input_shape` and
            `size_period`.
    """

    def __init__(self, model: Any):
        self.model = model

    def __call__(self, size: Size) -> dict[str, Size]:
        """{output: (h, w)} for images of (H, W): ints for ints, otherwise scalar tensors."""
        if all(isinstance(x, int) for x in size):
            shapes = self.model.compute_output_shape((1, *size, self.model.input_shape[-1]))
            return {name: tuple(shape[1:3]) for name, shape in shapes.items()}
        period = self.model.size_period
        return {
            name: tuple(ops.take(row, x % period) + (x // period - 1) * step for x in size)
            for name, (row, step) in self._rows.items()
        }

    @functools.cached_property
    def _rows(self) -> dict[str, tuple[np.ndarray, int]]:
        """{output: (its sizes for images of period, period + 1, …; what a period adds)}."""
        period, channels = self.model.size_period, self.model.input_shape[-1]
        shapes = [
            self.model.compute_output_shape((1, x, x, channels)) for x in range(period, 2 * period)
        ]
        further = self.model.compute_output_shape((1, 2 * period, 2 * period, channels))
        return {
            name: (
                np.array([shape[name][1] for shape in shapes], np.int32),
                further[name][1] - shapes[0][name][1],
            )
            for name in further
        }
