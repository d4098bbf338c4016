"""Pyramid pooling: PSPNet's decoder, and the module that UPerNet shares.

Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.2.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.decoders.decoder import build_chain
from tfseg.decoders.supervised import Supervised
from tfseg.layers import AdaptiveAveragePool2D, ConvBN, resize
from tfseg.types import Maps, Shape, Shapes, Tensor


@keras.saving.register_keras_serializable("tfseg")
class PyramidPooling(keras.layers.Layer):
    """The input beside its averages over coarse grids, each reduced to a few channels.

    Args:
        bins: cells per axis of each grid.
        width: channels of each branch.
        resize_first: whether a grid is resized to [h, w] before its convolution (as UPerNet's
            code does) or after it (PSPNet; cheaper). They differ by where the ReLU is.
        conv: dict of further `ConvBN` arguments.

    Input [N, h, w, C], output [N, h, w, C + len(bins) * width].
    """

    def __init__(
        self,
        bins: Sequence[int] = (1, 2, 3, 6),
        width: int = 512,
        resize_first: bool = False,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.bins = tuple(bins)
        self.width = width
        self.resize_first = resize_first
        self.conv = dict(conv or {})
        self.pools = [AdaptiveAveragePool2D(n, dtype=self.dtype_policy) for n in bins]
        self.units = [
            ConvBN(width, 1, name=f"branch{number}", dtype=self.dtype_policy, **self.conv)
            for number in range(1, len(bins) + 1)
        ]

    def build(self, input_shape: Shape) -> None:
        for unit in self.units:
            unit.build((None, None, None, input_shape[-1]))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        size = ops.shape(inputs)[1:3]
        branches = [inputs]
        for pool, unit in zip(self.pools, self.units, strict=True):
            grid = pool(inputs)
            if self.resize_first:
                branches.append(unit(resize(grid, size), training=training))
            else:
                branches.append(resize(unit(grid, training=training), size))
        return ops.concatenate(branches, -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:3], input_shape[-1] + len(self.bins) * self.width)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bins": self.bins,
            "width": self.width,
            "resize_first": self.resize_first,
            "conv": self.conv,
        }


@keras.saving.register_keras_serializable("tfseg")
class PPM(Supervised):
    """Pyramid pooling, a 3x3 convolution that fuses it, and class scores.

    Args:
        num_classes, levels, deep_supervision, dropout, conv: see `Supervised`.
        bins: cells per axis of each grid.
        width: channels of each branch and of the fusion.
    """

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        deep_supervision: bool = False,
        dropout: float = 0.1,
        bins: Sequence[int] = (1, 2, 3, 6),
        width: int = 512,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, deep_supervision, dropout, conv, **kwargs)
        self.width = width
        self.pooling = PyramidPooling(
            bins, width, conv=self.conv, name="pooling", dtype=self.dtype_policy
        )
        self.fuse = self._unit(width, 3, "fuse")

    def build(self, input_shape: Shapes) -> None:
        super().build(input_shape)
        build_chain([self.pooling, self.fuse, self.classifier], self.channels(input_shape))

    def decode(self, features: Maps, training: bool) -> Tensor:
        maps = self.pooling(features[self.levels[-1]], training=training)
        return self.fuse(maps, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.pooling.bins, "width": self.width}
