"""Residual blocks, with every stride and dilation stated at construction.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 3.3 and 4.1;
Yu, Koltun, Funkhouser, "Dilated Residual Networks", CVPR 2017, sections 2 and 4.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfseg.errors import TfsegError
from tfseg.layers import ConvBN, Smoothing, Split, SqueezeExcite
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
    # Whether the projection's own convolution strides.
    strided_projection = True

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

    def _main_path(self, smoothing: Smoothing) -> list[Any]:
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
            strides = self.strides if self.strided_projection else 1
            projection = self._unit(shape[-1], 1, "projection", strides, activation=None)
            projection.build(input_shape)
            self.projection = projection

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        outputs = inputs
        for unit in self.units:
            outputs = unit(outputs, training=training)
        if not self.residual:
            return keras.ops.relu(outputs)
        return keras.ops.relu(outputs + self._shortcut(inputs, training))

    def _shortcut(self, inputs: Tensor, training: bool) -> Tensor:
        """What is added to the main path."""
        if self.projection is None:
            return inputs
        return self.projection(inputs, training=training)

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


@keras.saving.register_keras_serializable("tfseg")
class TwoBranch(_Residual):
    """1x1, 3x3 and 1x1 convolutions; each half of the 3x3's channels has its own dilation rate.

    Gao, "Rethinking Dilated Convolution for Real-time Semantic Segmentation", 2021, section 3.2.
    The 3x3 has groups of `width` channels and is gated by squeeze and excitation; a strided block's
    shortcut averages before its projection.
    """

    strided_projection = False

    def _main_path(self, smoothing: Smoothing) -> list[Any]:
        self.pool = keras.layers.AveragePooling2D(2, padding="same", dtype=self.dtype_policy)
        return [
            self._unit(self.filters, 1, "conv1"),
            self._branches(smoothing),
            self._unit(self.filters, 1, "conv3", activation=None),
        ]

    def _branches(self, smoothing: Smoothing) -> keras.layers.Layer:
        """Two branches, or where their rates are equal the one convolution that they are."""
        rates = sorted(set(self.dilations))
        filters = self.filters // len(rates)
        groups = filters // self.width
        names = ["branch1", "branch2"] if len(rates) > 1 else ["conv2"]
        units = [
            self._unit(filters, 3, name, self.strides, rate, smoothing, groups=groups)
            for name, rate in zip(names, rates, strict=True)
        ]
        if len(units) == 1:
            return units[0]
        return Split(units, name="conv2", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        gate = SqueezeExcite(input_shape[-1] // 4, name="gate", dtype=self.dtype_policy)
        self.units.insert(2, gate)
        super().build(input_shape)

    def _shortcut(self, inputs: Tensor, training: bool) -> Tensor:
        pooled = self.pool(inputs) if self.strides > 1 else inputs
        return super()._shortcut(pooled, training)


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck, "two_branch": TwoBranch}
