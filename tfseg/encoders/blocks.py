"""Residual blocks, with every stride and dilation stated at construction.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 3.3 and 4.1;
Yu, Koltun, Funkhouser, "Dilated Residual Networks", CVPR 2017, sections 2 and 4.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfseg.errors import TfsegError
from tfseg.layers import ConvBN, Smoothing
from tfseg.layers.conv import strided_size
from tfseg.types import Shape, Tensor


class _Residual(keras.layers.Layer):
    """What the two blocks share: the projection shortcut, the sum, and the config.

    Args:
        filters: channels of the 3x3 convolutions.
        strides: an int, the block's stride.
        dilations: (first, second) dilation rate of the block's 3x3 convolutions.
        residual: whether the input is added; DRN-C's last blocks leave it out (section 4 of the
            paper: the sum would carry gridding past them).
        stride_on: "3x3" (torchvision) or "1x1" (Caffe, TF-slim), for bottlenecks.
        conv: dict of further `ConvBN` arguments (padding, batch_norm).
        smoothing: of the dilated convolutions, as for `DilatedConv2D`.
        groups, width: of a bottleneck's 3x3 convolution: it has `groups` groups, and
            `groups` * `filters` * `width` / 64 channels (Xie et al., "Aggregated Residual
            Transformations for Deep Neural Networks", CVPR 2017, section 3.2).

    Input [N, H, W, C], output [N, ceil(H / strides), ceil(W / strides), filters * expansion].
    """

    expansion = 1

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        dilations: Sequence[int] = (1, 1),
        residual: bool = True,
        stride_on: str = "3x3",
        conv: dict[str, Any] | None = None,
        smoothing: Smoothing | dict[str, Any] | None = None,
        groups: int = 1,
        width: int = 64,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.dilations = tuple(dilations)
        self.residual = residual
        self.stride_on = stride_on
        self.conv = dict(conv or {})
        smoothing = Smoothing.of(smoothing)
        self.smoothing = smoothing.options()
        self.groups = groups
        self.width = width
        self.units = self._main_path(smoothing)
        self.projection: ConvBN | None = None

    def _main_path(self, smoothing: Smoothing) -> list[ConvBN]:
        """The list of units before the sum."""
        raise NotImplementedError

    def _unit(
        self,
        filters: int,
        kernel_size: int,
        name: str,
        strides: int = 1,
        dilation: int = 1,
        smoothing: Smoothing | None = None,
        **kwargs: Any,
    ) -> ConvBN:
        return ConvBN(
            filters,
            kernel_size,
            strides,
            dilation,
            name=name,
            smoothing=smoothing,
            dtype=self.dtype_policy,
            **self.conv,
            **kwargs,
        )

    def build(self, input_shape: Shape) -> None:
        shape = input_shape
        for unit in self.units:
            unit.build(shape)
            shape = unit.compute_output_shape(shape)
        if self.residual and (self.strides != 1 or input_shape[-1] != shape[-1]):
            projection = self._unit(shape[-1], 1, "projection", self.strides, activation=None)
            projection.build(input_shape)
            self.projection = projection

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        outputs = inputs
        for unit in self.units:
            outputs = unit(outputs, training=training)
        if self.projection is not None:
            inputs = self.projection(inputs, training=training)
        return keras.ops.relu(outputs + inputs if self.residual else outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, _ = input_shape
        size = (strided_size(height, self.strides), strided_size(width, self.strides))
        return (batch, *size, self.filters * self.expansion)

    def get_config(self) -> dict[str, Any]:
        names = (
            *("filters", "strides", "dilations", "residual", "stride_on", "conv", "smoothing"),
            *("groups", "width"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("tfseg")
class BasicBlock(_Residual):
    """Two 3x3 convolutions; the first one strides."""

    def _main_path(self, smoothing: Smoothing) -> list[ConvBN]:
        if (self.groups, self.width) != (1, 64):
            raise TfsegError("only bottlenecks have groups and a width")
        first, second = self.dilations
        return [
            self._unit(self.filters, 3, "conv1", self.strides, first, smoothing),
            self._unit(self.filters, 3, "conv2", 1, second, smoothing, activation=None),
        ]


@keras.saving.register_keras_serializable("tfseg")
class Bottleneck(_Residual):
    """1x1, 3x3, 1x1 convolutions; the 3x3 takes the second dilation rate."""

    expansion = 4

    def _main_path(self, smoothing: Smoothing) -> list[ConvBN]:
        channels = self.filters * self.width // 64 * self.groups
        outer, inner = (self.strides, 1) if self.stride_on == "1x1" else (1, self.strides)
        return [
            self._unit(channels, 1, "conv1", outer),
            self._unit(
                channels, 3, "conv2", inner, self.dilations[1], smoothing, groups=self.groups
            ),
            self._unit(self.filters * self.expansion, 1, "conv3", activation=None),
        ]


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}
