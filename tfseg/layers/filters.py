"""Small filters that smooth a feature map channel by channel, and the one fast way to apply them.

A filter has zero padding of TensorFlow's 'same' kind. Where its size is even it has no middle: tap
(size - 1) // 2 then lies on the pixel itself, and the filter reaches one pixel further down and to
the right than up and to the left.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from tfseg.types import Tensor

# Columns that `_filter_gradient` takes at once, where the filter isn't wider.
_TILE = 14


def centre(size: int) -> int:
    """The tap that lies on the pixel itself."""
    return (size - 1) // 2


def delta(size: int, dtype: str = "float32") -> np.ndarray:
    """The filter that changes nothing: [size, size]."""
    taps = np.zeros((size, size), dtype)
    taps[centre(size), centre(size)] = 1
    return taps


def box(size: int, dtype: str = "float32") -> np.ndarray:
    """The mean over size x size pixels: [size, size]."""
    return np.full((size, size), 1 / size**2, dtype)


def gaussian(size: int, sigma: Tensor, dtype: str = "float32") -> Tensor:
    """A normalised Gaussian around the pixel, cut off to size x size taps.

    Args:
        size: an int.
        sigma: standard deviation in pixels, a scalar tensor or number.
        dtype: of the result, float32 or float64.

    Returns:
        [size, size], summing to one.
    """
    offsets = np.arange(size, dtype=dtype) - centre(size)
    squares = offsets[:, None] ** 2 + offsets[None, :] ** 2
    # Torch's tensors don't divide NumPy's arrays.
    taps = ops.exp(-ops.divide(squares, 2 * sigma**2))
    return taps / ops.sum(taps)


def embed(taps: Tensor, size: int) -> Tensor:
    """The same filter as [size, size, ...], with zeros around it.

    Args:
        taps: [k, k, ...], k up to `size`.
        size: an odd int.
    """
    before = centre(size) - centre(taps.shape[0])
    side = (before, size - taps.shape[0] - before)
    return ops.pad(taps, (side, side, *((0, 0),) * (len(taps.shape) - 2)))


def apply_filter(inputs: Tensor, taps: Tensor) -> Tensor:
    """Filters every channel, by its own filter or all by the same.

    Args:
        inputs: [N, H, W, C].
        taps: [k, k, C] or, shared by all channels, [k, k].

    Returns:
        [N, H, W, C] of the inputs' dtype.
    """
    taps = ops.cast(taps, inputs.dtype)
    if len(taps.shape) == 3:
        return _depthwise(inputs, taps)

    # Left to itself, the gradient would be taken for each channel and then summed: half the time
    # of the convolution that follows, for a 7x7 filter.
    @ops.custom_gradient
    def filtered(inputs: Tensor, taps: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def gradient(*args: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
            (upstream,) = args if upstream is None else (upstream,)
            return _transposed(upstream, taps), _filter_gradient(inputs, upstream, taps.shape[0])

        return _depthwise(inputs, taps), gradient

    return filtered(inputs, taps)


def _depthwise(inputs: Tensor, taps: Tensor) -> Tensor:
    if len(taps.shape) == 2:
        taps = ops.broadcast_to(taps[:, :, None], (*taps.shape, inputs.shape[-1]))
    return ops.depthwise_conv(inputs, taps[..., None], padding="same")


def _transposed(upstream: Tensor, taps: Tensor) -> Tensor:
    """The gradient for the inputs: the mirrored filter, embedded where its size is even."""
    # One axis after the other: Keras 3.12, the last for Python 3.10, takes no two.
    flipped = ops.flip(ops.flip(embed(taps, taps.shape[0] | 1), 0), 1)
    return _depthwise(upstream, flipped)


def _filter_gradient(inputs: Tensor, upstream: Tensor, size: int) -> Tensor:
    """The gradient for a shared filter: sums of products of the two maps, one of them shifted.

    As matrix products over the channels between a tile of columns and a wider one, of which each
    diagonal is a shift. Rows of all images stand below each other, with enough zeros between them
    that a shifted image never meets its neighbour: a shift of rows is then a contiguous slice.

    Args:
        inputs, upstream: [N, H, W, C].
        size: taps along each axis.

    Returns:
        [size, size] of the inputs' dtype.
    """
    shape, channels = ops.shape(inputs), inputs.shape[-1]
    tile, reach, before = max(_TILE, size - 1), size - 1, centre(size)
    tiles = -(-shape[2] // tile)
    surplus = tiles * tile - shape[2]
    after = reach - before
    inputs = ops.pad(inputs, ((0, 0), (before, after), (before, surplus + tile - before), (0, 0)))
    inputs = ops.reshape(inputs, (-1, tiles + 1, tile, channels))
    inputs = ops.concatenate([inputs[:, :-1], inputs[:, 1:, :reach]], 2)
    upstream = ops.pad(upstream, ((0, 0), (0, reach), (0, surplus), (0, 0)))
    upstream = ops.reshape(upstream, (-1, tiles, tile, channels))
    rows = ops.shape(upstream)[0] - reach
    upstream = upstream[:rows]
    products, accumulator = [], keras.backend.result_type(inputs.dtype, "float32")
    for shift in range(size):
        product = ops.einsum("rtuc,rtvc->rtuv", inputs[shift : shift + rows], upstream)
        products.append(ops.sum(ops.cast(product, accumulator), (0, 1)))
    products = ops.stack(products)  # [size, tile + reach, tile]
    sums = [ops.trace(products[:, i : i + tile], 0, 1, 2) for i in range(size)]
    return ops.cast(ops.stack(sums, 1), inputs.dtype)
