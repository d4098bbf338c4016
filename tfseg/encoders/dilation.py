"""How Keras' layers behave on a denser grid: strides given up, and what follows dilated.

Chen et al., "DeepLab", TPAMI 2018, section 3.1; Yu, Koltun, Funkhouser, "Dilated Residual
Networks", CVPR 2017, section 2. A layer that doesn't depend on the position acts on every
`rate`-th position of the dense grid as it did on the strided one where all its distances are
`rate` times as long: between taps, of paddings, of croppings.
"""

from typing import Any, NamedTuple

import keras
import numpy as np

from tfseg.errors import TfsegError
from tfseg.layers.dilated_pool import DilatedPool2D

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
POOLS = {keras.layers.MaxPooling2D: "max", keras.layers.AveragePooling2D: "average"}
BORDERS = {keras.layers.ZeroPadding2D: ("padding", 1), keras.layers.Cropping2D: ("cropping", -1)}


class Grid(NamedTuple):
    """Where the positions of a map lie.

    Attributes:
        stride: image pixels between two of them in the network as it was.
        rate: how many positions of the dense map there are for one of those.
        excess: (rows, columns) of the map as it was beyond the image's size over `stride`, for
            images that it divides. The dense map has `rate` times as many rows and columns.
        padded: whether it is another map with a border around it.
    """

    stride: int = 1
    rate: int = 1
    excess: tuple[int, int] = (0, 0)
    padded: bool = False


def named(layer: Any) -> str:
    """A layer as messages name it."""
    return f"layer {layer.name} ({type(layer).__name__})"


def dilate(layer: Any, grid: Grid, output_stride: int) -> tuple[list[dict | Any], Grid] | None:
    """A spatial layer on the dense grid.

    Args:
        layer: a Keras layer.
        grid: of its input.
        output_stride: the largest stride that the dense network may have.

    Returns:
        What takes its place, from input to output: other layers, and for the layer itself the
        dict of what changes in its config; and the grid of the output. None for other layers
        than convolutions, pools, paddings and croppings.

    Raises:
        TfsegError: it can't be dilated; the message names it.
    """
    for kind, (name, sign) in BORDERS.items():
        if isinstance(layer, kind):
            return _border(layer, grid, name, sign)
    pool = next((mode for kind, mode in POOLS.items() if isinstance(layer, kind)), None)
    if pool is None and not isinstance(layer, CONVOLUTIONS):
        return None
    if layer.data_format != "channels_last":
        raise TfsegError(f"{named(layer)} has its channels first; only channels last are known")
    window = layer.kernel_size if pool is None else layer.pool_size
    rates = np.broadcast_to(getattr(layer, "dilation_rate", 1), 2)
    strides = np.broadcast_to(layer.strides, 2)
    if strides[0] != strides[1] or rates[0] != rates[1]:
        raise TfsegError(f"{named(layer)} has other strides or rates along rows than along columns")
    stride, own_rate = int(strides[0]), int(rates[0])
    kept = _kept(stride, grid, output_stride)
    extents = [(int(taps) - 1) * own_rate + 1 for taps in window]
    sizes = [
        _size(extent, stride, excess, layer.padding)
        for extent, excess in zip(extents, grid.excess, strict=True)
    ]
    rows, columns = (outputs - _LENGTH for _, _, outputs in sizes)
    after = Grid(grid.stride * stride, grid.rate * stride // kept, (rows, columns))
    if kept == stride and grid.rate == 1:
        return [{}], after
    sides = [
        _sides(extent, begin, inputs, outputs, kept, grid.rate, after.rate)
        for extent, (begin, inputs, outputs) in zip(extents, sizes, strict=True)
    ]
    if pool is not None:
        arguments = (pool, window, kept, grid.rate, sides)
        return [DilatedPool2D(*arguments, name=layer.name, dtype=layer.dtype_policy)], after
    changes = {"strides": (kept, kept), "dilation_rate": (own_rate * grid.rate,) * 2}
    reach = [(extent - 1) * grid.rate for extent in extents]
    if kept == 1 and all(
        first == last == total / 2 for (first, last), total in zip(sides, reach, strict=True)
    ):
        return [{**changes, "padding": "same"}], after
    layers: list[Any] = [{**changes, "padding": "valid"}]
    if any(map(any, sides)):
        border = keras.layers.ZeroPadding2D(
            sides, name=f"{layer.name}_dilated_pad", dtype=layer.dtype_policy
        )
        layers.insert(0, border)
    return layers, after


def _border(layer: Any, grid: Grid, name: str, sign: int) -> tuple[list[dict | Any], Grid]:
    sides = getattr(layer, name)
    changes = {name: tuple(tuple(int(x) * grid.rate for x in side) for side in sides)}
    excess = tuple(more + sign * sum(side) for more, side in zip(grid.excess, sides, strict=True))
    return [changes], grid._replace(excess=excess, padded=True)


def _kept(stride: int, grid: Grid, output_stride: int) -> int:
    """The part of a layer's stride that the dense network keeps: none after it gave one up."""
    room = output_stride * grid.rate // grid.stride if grid.rate == 1 else 1
    return max(part for part in range(1, stride + 1) if stride % part == 0 and part <= max(room, 1))


# Any length would do that all strides divide: borders don't depend on it.
_LENGTH = 2**12


def _size(extent: int, stride: int, excess: int, padding: str) -> tuple[int, int, int]:
    """(rows padded before, input rows, output rows) of a layer of the strided network."""
    inputs = _LENGTH * stride + excess
    if padding == "valid":
        return 0, inputs, (inputs - extent) // stride + 1
    outputs = -(-inputs // stride)
    return max((outputs - 1) * stride + extent - inputs, 0) // 2, inputs, outputs


def _sides(
    extent: int, begin: int, inputs: int, outputs: int, kept: int, rate: int, rate_after: int
) -> tuple[int, int]:
    """Padding (before, after) with which the dense output has `rate_after` * `outputs` rows."""
    before = begin * rate
    needed = kept * (rate_after * outputs - 1) + (extent - 1) * rate + 1
    return before, max(needed - inputs * rate - before, 0)
