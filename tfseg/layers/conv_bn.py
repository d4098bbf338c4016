"""The unit that every network here is made of: convolution, batch norm, activation."""

from typing import Any

import keras

from tfseg.layers.batch_norm import BatchNorm
from tfseg.layers.conv import Conv2D
from tfseg.layers.dilated import DilatedConv2D
from tfseg.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfseg")
class ConvBN(keras.layers.Layer):
    """Convolution without bias, batch normalisation, and an activation.

    Args:
        filters, kernel_size, strides, dilation_rate, padding, groups: as for `Conv2D`.
        activation: a Keras activation, or None.
        batch_norm: dict of `BatchNorm`'s arguments.
        smoothing: of a dilated convolution, as for `DilatedConv2D`.
        folded: a bias takes the place of the normalisation, which a fixed one can be merged into;
            for inference, with the weights that `tfseg.models.fold` computes.

    Input [N, H, W, C], output [N, ceil(H / strides), ceil(W / strides), filters].
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        dilation_rate: int = 1,
        padding: str = "symmetric",
        activation: str | None = "relu",
        batch_norm: dict[str, Any] | None = None,
        smoothing: Any = None,
        folded: bool = False,
        groups: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.batch_norm = dict(batch_norm or {})
        self.activation = keras.activations.get(activation)
        arguments = (filters, kernel_size, strides, dilation_rate, padding)
        self.folded = folded
        common = {
            "use_bias": folded,
            "groups": groups,
            "dtype": self.dtype_policy,
            "name": "conv",
        }
        if dilation_rate > 1:
            self.conv = DilatedConv2D(*arguments, smoothing=smoothing, **common)
        else:
            self.conv = Conv2D(*arguments, **common)
        self.bn = None
        if not folded:
            self.bn = BatchNorm(**self.batch_norm, dtype=self.dtype_policy, name="bn")

    def build(self, input_shape: Shape) -> None:
        self.conv.build(input_shape)
        if self.bn is not None:
            self.bn.build(self.conv.compute_output_shape(input_shape))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        outputs = self.conv(inputs)
        if self.bn is not None:
            outputs = self.bn(outputs, training=training)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.conv.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        conv = self.conv.get_config()
        names = ("filters", "kernel_size", "strides", "dilation_rate", "padding", "groups")
        return {
            **super().get_config(),
            **{name: conv[name] for name in names},
            "activation": keras.activations.serialize(self.activation),
            "batch_norm": self.batch_norm,
            "smoothing": conv.get("smoothing"),
            "folded": self.folded,
        }
