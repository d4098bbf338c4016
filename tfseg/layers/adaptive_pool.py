"""Average pooling to a fixed number of bins, exact for every input size."""

from typing import Any

import keras
from keras import ops

from tfseg.checks import require_number
from tfseg.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfseg")
class AdaptiveAveragePool2D(keras.layers.Layer):
    """Means over a grid of bins x bins overlapping cells, as PyTorch's adaptive pooling.

    Cell i of n over a length L covers floor(i L / n) up to ceil((i + 1) L / n). The means along
    each axis are a product with a small matrix, so the size may be unknown in a graph.

    Args:
        bins: cells along each axis, at least 1.

    Input [N, H, W, C], output [N, bins, bins, C].

    Raises:
        TfsegError: `bins` below 1.
    """

    def __init__(self, bins: int, **kwargs: Any):
        super().__init__(**kwargs)
        require_number("bins", bins, 1, whole=True)
        self.bins = bins

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        if self.bins == 1:
            return ops.mean(inputs, (1, 2), keepdims=True)
        rows = self._weights(shape[1], inputs.dtype)
        columns = self._weights(shape[2], inputs.dtype)
        return ops.einsum("ih,nhwc,jw->nijc", rows, inputs, columns)

    def _weights(self, length: Any, dtype: Any) -> Tensor:
        """[bins, length]: each cell's share of every position."""
        cells = ops.arange(self.bins)[:, None]
        positions = ops.arange(length)[None, :]
        start = cells * length // self.bins
        # Not as -(-x // n): exported graphs may round the quotient of negative integers to zero.
        stop = ((cells + 1) * length + self.bins - 1) // self.bins
        inside = ops.logical_and(positions >= start, positions < stop)
        return ops.cast(inside, dtype) / ops.cast(stop - start, dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.bins, self.bins, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}
