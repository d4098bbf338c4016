"""Sizes that images are brought to, and how images and label maps are brought to them."""

import dataclasses
from collections.abc import Callable

from tfseg.data.level_resizing import opencv_bilinear, pillow_bicubic
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")


@dataclasses.dataclass(frozen=True)
class Resizing:
    """A way to resize images, wholes or windows of them.

    Attributes:
        help: what metrics.json calls it.
        kernel: TensorFlow's name of its kernel, for images of any numbers; or None.
        reach: of the kernel, in pixels.
        of_levels: otherwise, a function of `tfseg.data.level_resizing`, for uint8 images.
    """

    help: str
    kernel: str | None = None
    reach: int = 0
    of_levels: Callable | None = None


RESIZINGS = {
    "bilinear": Resizing("bilinear, smoothed for reduction", "triangle", 1),
    "bicubic": Resizing("bicubic, smoothed for reduction", "keyscubic", 2),
    "pillow_bicubic": Resizing("bicubic in levels, as Pillow", of_levels=pillow_bicubic),
    "opencv_bilinear": Resizing("bilinear in levels, as OpenCV", of_levels=opencv_bilinear),
}


def resized(sizes, short_side, max_long_side):
    """Sizes with this short side, or less where the long side would be too long.

    In whole numbers, rounded down, at least 1: floor(s * min(short / min(s), long / max(s))).

    Args:
        sizes: integer tensor [..., 2].
        short_side, max_long_side: integers.

    Returns:
        Integers [..., 2].
    """
    smallest = tf.reduce_min(sizes, axis=-1, keepdims=True)
    largest = tf.reduce_max(sizes, axis=-1, keepdims=True)
    short_side = tf.cast(short_side, sizes.dtype)
    max_long_side = tf.cast(max_long_side, sizes.dtype)
    fits = short_side * largest <= max_long_side * smallest
    wanted = tf.where(fits, short_side, max_long_side)
    return tf.maximum(sizes * wanted // tf.where(fits, smallest, largest), 1)


def resize_image(image, size, method="bilinear"):
    """Smoothed for reduction: float32 [h, w, C] or [N, h, w, C].

    Args:
        image: numbers [H, W, C] or [N, H, W, C].
        size: (h, w).
        method: "bilinear" or "bicubic".
    """
    return tf.image.resize(image, size, method, antialias=True)


def resized_window(images, size, window, method, whole=None):
    """What `window` (top, bottom, left, right) shows of images resized to `size`.

    It reads no more of the images than the filter reaches.

    Args:
        images: [N, H, W, C]; uint8 for methods in levels. Or a function of (top, bottom, left,
            right) to that piece of them, but for methods in levels.
        size: (h, w).
        window: in pixels of the resized images.
        method: one of `RESIZINGS`.
        whole: (H, W), where `images` is a function.

    Returns:
        [N, bottom - top, right - left, C]; float32, or uint8 in levels.
    """
    row = RESIZINGS[method]
    if row.of_levels:
        return row.of_levels(images, size, window)
    if whole is None:
        whole, piece = tf.shape(images)[1:3], lambda a, b, c, d: images[:, a:b, c:d]
    else:
        piece = images
    scales, shifts, spans = [], [], []
    for axis, (start, stop) in enumerate((window[:2], window[2:])):
        scale = tf.cast(size[axis], tf.float32) / tf.cast(whole[axis], tf.float32)
        first, last = reached(start, stop, size[axis], whole[axis], row.reach)
        scales.append(scale)
        shifts.append(scale * tf.cast(first, tf.float32) - tf.cast(start, tf.float32))
        spans.append((first, last))
    (above, below), (left, right) = spans
    return tf.raw_ops.ScaleAndTranslate(
        images=piece(above, below, left, right),
        size=tf.stack([window[1] - window[0], window[3] - window[2]]),
        scale=tf.stack(scales),
        translation=tf.stack(shifts),
        kernel_type=row.kernel,
        antialias=True,
    )


def reached(start, stop, size, source, reach):
    """(first, last + 1) pixels of `source` that [start, stop) of `size` are computed from, by a
    kernel that reaches so far and is stretched with a reduction."""
    scale = tf.cast(size, tf.float32) / tf.cast(source, tf.float32)
    reach = tf.cast(tf.math.ceil(reach * tf.maximum(1 / scale, 1.0)), tf.int32) + 1
    ends = tf.cast(tf.stack([start, stop]), tf.float32) / scale
    first = tf.maximum(tf.cast(ends[0], tf.int32) - reach, 0)
    return first, tf.minimum(tf.cast(ends[1], tf.int32) + reach + 1, source)


def resize_labels(labels, size, legacy=False):
    """Labels at another resolution: each output cell takes the label at its centre.

    The source row of row i is floor((i + 0.5) * H / h), computed in integers; it is Pillow's
    nearest-neighbour rule, in which DeepLab's and the ADE20K code resize labels.

    Args:
        labels: integers [N, H, W].
        size: (h, w), ints or scalar tensors.
        legacy: take the label at the first corner instead, floor(i * H / h), as TensorFlow 1 does.

    Returns:
        Integers [N, h, w].
    """
    for axis, target in enumerate(size, start=1):
        source = labels.shape[axis] or tf.shape(labels)[axis]
        rows = (2 * tf.range(target) + (0 if legacy else 1)) * source // (2 * target)
        labels = tf.gather(labels, rows, axis=axis)
    return labels


def scaled_window(image, size, first, last):
    """A window of an image that is resized as Pillow does it: reduced by Lanczos' kernel of three
    lobes, stretched with the reduction, and enlarged by Keys' cubic; along the rows, then along the
    columns, each in whole levels.

    Args:
        image: uint8 [H, W, C].
        size: int32 [h, w] of the whole resized image; both axes go by what the height does.
        first, last: int32 [2], where the window starts and stops in it.

    Returns:
        float32 [last[0] - first[0], last[1] - first[1], C].
    """
    source = tf.shape(image)[:2]

    def resample(kernel):
        pixels = image
        for axis in (1, 0):
            chosen = tf.constant([axis == 0, axis == 1])
            pixels = tf.raw_ops.ScaleAndTranslate(
                images=pixels[None],
                size=tf.where(chosen, last - first, tf.shape(pixels)[:2]),
                scale=tf.cast(tf.where(chosen, size / source, 1), tf.float32),
                translation=tf.cast(tf.where(chosen, -first, 0), tf.float32),
                kernel_type=kernel,
                antialias=True,
            )[0]
            pixels = tf.clip_by_value(tf.round(pixels), 0, 255)
        return pixels

    reduces = size[0] < source[0]
    return tf.cond(reduces, lambda: resample("lanczos3"), lambda: resample("keyscubic"))


def legacy_window(image, size, first, last):
    """A window of an image that is resized as TensorFlow 1 does it: bilinear, pixel i at i * H / h.

    Arguments and result as in `scaled_window`; what comes out isn't rounded to levels.
    """
    pixels = tf.cast(image, tf.float32)
    for axis in (0, 1):
        length = tf.shape(pixels)[axis]
        scale = tf.cast(length, tf.float32) / tf.cast(size[axis], tf.float32)
        places = tf.cast(tf.range(first[axis], last[axis]), tf.float32) * scale
        before = tf.minimum(tf.cast(places, tf.int32), length - 1)
        share = places - tf.cast(before, tf.float32)
        share = tf.reshape(share, [-1, 1, 1] if axis == 0 else [-1, 1])
        ends = [tf.gather(pixels, tf.minimum(before + i, length - 1), axis=axis) for i in (0, 1)]
        pixels = ends[0] + (ends[1] - ends[0]) * share
    return pixels
