"""The one way in which maps are resized."""

from typing import Any

import keras
from keras import ops

from tfseg.types import Size, Tensor


def resize(maps: Tensor, size: Size) -> Tensor:
    """Half-pixel bilinear resizing, without antialiasing (PyTorch's ``align_corners=False``).

    Args:
        maps: [N, h, w, C].
        size: (H, W), ints or scalar tensors.

    Returns:
        [N, H, W, C] of the same dtype.
    """
    if keras.backend.backend() == "tensorflow":
        # ops.image.resize compares the size in Python, so it can't be one that the graph computes.
        import tensorflow as tf

        if maps.dtype == "float64":  # TensorFlow's own computes in float32
            for axis, target in enumerate(size, start=1):
                scale = _ratio(ops.shape(maps)[axis], target, maps.dtype)
                positions = (ops.cast(ops.arange(target), maps.dtype) + 0.5) * scale - 0.5
                maps = interpolate(maps, ops.maximum(positions, 0), axis)
            return maps
        return tf.cast(tf.image.resize(maps, size), maps.dtype)
    return ops.cast(ops.image.resize(maps, size, interpolation="bilinear"), maps.dtype)


def resize_legacy(maps: Tensor, size: Size) -> Tensor:
    """Bilinear resizing as TensorFlow 1 has it: pixel i lies at i * h / H of the map, so that the
    first ones coincide and nothing is interpolated beyond the last.

    Args:
        maps: [N, h, w, C].
        size: (H, W), ints or scalar tensors.

    Returns:
        [N, H, W, C] of the same dtype.
    """
    for axis, target in enumerate(size, start=1):
        dtype = positions_dtype(maps)
        scale = _ratio(ops.shape(maps)[axis], target, dtype)
        maps = interpolate(maps, ops.cast(ops.arange(target), dtype) * scale, axis)
    return maps


def _ratio(source: Any, target: Any, dtype: str) -> Tensor:
    return ops.cast(source, dtype) / ops.cast(target, dtype)


def positions_dtype(maps: Tensor) -> str:
    """What positions between pixels are computed in: float32, or float64 for maps of it."""
    return keras.backend.result_type(maps.dtype, "float32")


def interpolate(maps: Tensor, positions: Tensor, axis: int) -> Tensor:
    """Maps [N, H, W, C] at `positions` (floats from 0) along axis 1 or 2; beyond the last pixel
    is the last."""
    last = ops.shape(maps)[axis] - 1
    before = ops.minimum(ops.cast(ops.floor(positions), "int32"), last)
    share = ops.cast(positions - ops.cast(before, positions.dtype), maps.dtype)
    share = ops.reshape(share, (-1, 1, 1) if axis == 1 else (-1, 1))
    start, stop = (ops.take(maps, i, axis) for i in (before, ops.minimum(before + 1, last)))
    return start + (stop - start) * share


def upsample_zero_border(maps: Tensor, factor: int) -> Tensor:
    """Bilinear upsampling that interpolates against zeros outside the map.

    It equals the transposed convolution with a fixed bilinear kernel of size 2 * factor that
    FCN and DRN segmenters end with (Long et al., "Fully Convolutional Networks", CVPR 2015,
    section 3.3).

    Args:
        maps: [N, h, w, C].
        factor: an int.

    Returns:
        [N, factor * h, factor * w, C] of the same dtype.
    """
    batch, height, width, channels = ops.shape(maps)
    maps = ops.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    maps = resize(maps, ((height + 2) * factor, (width + 2) * factor))
    # Not by indices: the gradient of those fills its zeros in one thread.
    start, shape = (0, factor, factor, 0), (batch, height * factor, width * factor, channels)
    return ops.slice(maps, start, shape)


def resize_labels(labels: Tensor, size: Size, legacy: bool = False) -> Tensor:
    """Labels at another resolution: each output cell takes the label at its centre.

    On every backend what `tfseg.data.resizing.resize_labels` does, which says more.

    Args:
        labels: integers [N, H, W].
        size: (h, w), ints or scalar tensors.
        legacy: take the label at the first corner instead, as TensorFlow 1 does.

    Returns:
        Integers [N, h, w].
    """
    for axis, target in enumerate(size, start=1):
        source = ops.shape(labels)[axis]
        rows = (2 * ops.arange(target) + (0 if legacy else 1)) * source // (2 * target)
        labels = ops.take(labels, rows, axis=axis)
    return labels
