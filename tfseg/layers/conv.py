"""Convolution with PyTorch's or TensorFlow's padding, and native dilation."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from tfseg.errors import TfsegError, unknown
from tfseg.types import Shape, Tensor
from tfseg.words import counted

PADDINGS = ("symmetric", "same")

_draws = contextvars.ContextVar("draws", default=True)


@contextlib.contextmanager
def zero_kernels() -> Iterator[None]:
    """`Conv2D` layers built inside start with kernels of zeros: for weights that are about to be
    loaded. Random numbers are two thirds of what building a network takes."""
    token = _draws.set(False)
    try:
        yield
    finally:
        _draws.reset(token)


def he_normal() -> keras.initializers.Initializer:
    """He's initialiser over the fan-out, as the DRN code has it: std sqrt(2 / (k * k * filters)).

    He et al., "Delving Deep into Rectifiers", ICCV 2015, section 2.2 (backward case).
    """
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def convolve(
    inputs: Tensor,
    kernel: Tensor,
    strides: int = 1,
    dilation_rate: int = 1,
    padding: str = "symmetric",
) -> Tensor:
    """A 2-D convolution; the one place that knows how each backend likes it best.

    Args:
        inputs: [N, H, W, C].
        kernel: [k, k, C / groups, filters], k odd; its shape says how many groups there are.
        strides: an int.
        dilation_rate: an int.
        padding: "symmetric" pads (k - 1) * dilation_rate / 2 on every side, as PyTorch and Caffe
            networks do; "same" is TensorFlow's, which depends on the input's size.

    Returns:
        [N, ceil(H / strides), ceil(W / strides), filters].
    """
    mode = "same"
    extent = (kernel.shape[0] - 1) * dilation_rate
    # At stride 1 both paddings are the same thing, and "same" saves a copy of the input.
    if padding == "symmetric" and strides > 1 and extent:
        side = (extent // 2, extent // 2)
        inputs = ops.pad(inputs, ((0, 0), side, side, (0, 0)))
        mode = "valid"
    if keras.backend.backend() == "tensorflow" and _has_dilated_gradient(inputs.dtype):
        # ops.conv turns a dilation into SpaceToBatch, Conv2D, BatchToSpace; this is the real op.
        import tensorflow as tf

        return tf.nn.conv2d(inputs, kernel, strides, mode.upper(), dilations=dilation_rate)
    return ops.conv(inputs, kernel, strides, mode, dilation_rate=dilation_rate)


def _has_dilated_gradient(dtype: str) -> bool:
    """Whether TensorFlow's own convolution has one: on CPUs none in float64, and in float16 only on
    those that compute in it."""
    if dtype != "float16":
        return dtype != "float64"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def strided_size(size: int | None, strides: int) -> int | None:
    """ceil(size / strides), or None for an unknown size."""
    return None if size is None else -(-size // strides)


@keras.saving.register_keras_serializable("tfseg")
class Conv2D(keras.layers.Layer):
    """A square 2-D convolution.

    Args:
        filters: output channels.
        kernel_size: an odd int.
        strides: an int; the output is ceil(size / strides).
        dilation_rate: an int, the spacing of the kernel's taps ("atrous" rate).
        padding: "symmetric" (PyTorch, Caffe) or "same" (TensorFlow).
        use_bias: adds a bias, zero at first.
        kernel_initializer: any Keras initialiser; default `he_normal`.
        groups: the channels are split into so many, each convolved by itself.

    Input [N, H, W, C], output [N, ceil(H / strides), ceil(W / strides), filters].

    Raises:
        TfsegError: unknown `padding`, or `groups` that don't divide the channels and filters.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        dilation_rate: int = 1,
        padding: str = "symmetric",
        use_bias: bool = False,
        kernel_initializer: Any = None,
        groups: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if padding not in PADDINGS:
            raise unknown("padding", padding, PADDINGS)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer or he_normal())
        self.groups = groups

    def build(self, input_shape: Shape) -> None:
        size, channels = (self.kernel_size, self.kernel_size), input_shape[-1]
        if channels % self.groups or self.filters % self.groups:
            raise TfsegError(
                f"groups must divide {counted(channels, 'channel')} and "
                f"{counted(self.filters, 'filter')}, not be "
                f"{self.groups}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer if _draws.get() else "zeros",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        return self._with_bias(self._convolve(inputs))

    def _convolve(self, inputs: Tensor) -> Tensor:
        return convolve(inputs, self.kernel, self.strides, self.dilation_rate, self.padding)

    def _with_bias(self, outputs: Tensor) -> Tensor:
        return outputs if self.bias is None else outputs + ops.cast(self.bias, outputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, _ = input_shape
        size = (strided_size(height, self.strides), strided_size(width, self.strides))
        return (batch, *size, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "groups": self.groups,
        }
