"""Squeeze and excitation: channels weighed by what the whole map holds."""

from typing import Any

import keras
from keras import ops

from tfseg.layers.adaptive_pool import AdaptiveAveragePool2D
from tfseg.layers.conv import Conv2D
from tfseg.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfseg")
class SqueezeExcite(keras.layers.Layer):
    """Multiplies each channel by a gate in 0..1 that is computed from the channels' means.

    Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, section 3.

    Args:
        width: channels between the two 1x1 convolutions, at least 1.

    Input and output [N, H, W, C].
    """

    def __init__(self, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.width = width
        self.pool = AdaptiveAveragePool2D(1, dtype=self.dtype_policy)
        self.reduce = Conv2D(width, 1, use_bias=True, name="reduce", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self.expand = Conv2D(channels, 1, use_bias=True, name="expand", dtype=self.dtype_policy)
        self.reduce.build(input_shape)
        self.expand.build((*input_shape[:3], self.width))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        means = ops.relu(self.reduce(self.pool(inputs)))
        return inputs * ops.sigmoid(self.expand(means))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}
