"""Max pooling with the three published ways of padding."""

from typing import Any

import keras
from keras import ops

from tfseg.errors import unknown
from tfseg.layers.conv import strided_size
from tfseg.types import Shape, Tensor

POOL_PADDINGS = ("symmetric", "ceil", "same")


@keras.saving.register_keras_serializable("tfseg")
class MaxPool2D(keras.layers.Layer):
    """3x3 max pooling with stride 2, as in the stem of a residual network.

    Args:
        padding: "symmetric" (PyTorch: one pixel on every side), "ceil" (Caffe: the last window may
            hang over the border, output H // 2 + 1), or "same" (TensorFlow).
        lowest: a number that no input is below, such as 0 after a ReLU; the border is made of it.
            Default minus infinity, which networks in integers can't express.

    Input [N, H, W, C], output [N, ceil(H / 2), ceil(W / 2), C]; for "ceil" H // 2 + 1.

    Raises:
        TfsegError: unknown `padding`.
    """

    def __init__(self, padding: str = "symmetric", lowest: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if padding not in POOL_PADDINGS:
            raise unknown("pooling padding", padding, POOL_PADDINGS)
        self.padding = padding
        self.lowest = lowest

    def call(self, inputs: Tensor) -> Tensor:
        if self.padding == "same":
            return ops.max_pool(inputs, 3, 2, "same")
        side = (1, 2 if self.padding == "ceil" else 1)
        lowest = -float("inf") if self.lowest is None else self.lowest
        inputs = ops.pad(inputs, ((0, 0), side, side, (0, 0)), constant_values=lowest)
        return ops.max_pool(inputs, 3, 2, "valid")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        if self.padding == "ceil":
            size = [None if x is None else x // 2 + 1 for x in (height, width)]
        else:
            size = [strided_size(x, 2) for x in (height, width)]
        return (batch, *size, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "lowest": self.lowest}
