"""Images in 8-bit levels, resized as Pillow and OpenCV resize them, equal to the last level.

Both compute in whole numbers: weights are rounded to a fixed point, and what comes out to levels
again. Each function gives a window of the resized images and reads no more than it needs.
"""

from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

# Bits behind the point of Pillow's weights and of OpenCV's.
_PILLOW_BITS, _OPENCV_BITS = 22, 11


def pillow_bicubic(images, size, window):
    """Pillow's BICUBIC: Keys' cubic (a = -1/2), stretched with a reduction, so that it smooths.

    Args:
        images: uint8 [N, H, W, C].
        size: (h, w) of the whole resized images, ints or scalar tensors.
        window: (top, bottom, left, right) of what is wanted of them, likewise.

    Returns:
        uint8 [N, bottom - top, right - left, C].
    """
    # Along the rows first. Levels are rounded in between, so it isn't the same the other way round.
    for axis, span in ((2, window[2:]), (1, window[:2])):
        images = _pillow_axis(images, axis, size[axis - 1], *span)
    return images


def _pillow_axis(images, axis, target, start, stop):
    length = tf.shape(images)[axis]
    step = tf.cast(length, tf.float64) / tf.cast(target, tf.float64)
    stretch = tf.maximum(step, 1)
    reach = 2 * stretch
    centre = (tf.cast(tf.range(start, stop), tf.float64) + 0.5) * step
    first = tf.maximum(tf.cast(centre - reach + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centre + reach + 0.5, tf.int32), length)
    taps = 2 * tf.cast(tf.math.ceil(reach), tf.int32) + 1
    pixels = first[:, None] + tf.range(taps)
    distance = (tf.cast(pixels, tf.float64) - centre[:, None] + 0.5) * (1 / stretch)
    weights = tf.where(pixels < last[:, None], _cubic(tf.abs(distance)), 0)
    weights /= tf.reduce_sum(weights, 1, keepdims=True)
    # Halves are rounded away from zero.
    fixed = tf.cast(weights * (1 << _PILLOW_BITS) + 0.5 * tf.sign(weights), tf.int32)
    pixels = tf.minimum(pixels, length - 1)

    def add(tap, total):
        part = tf.cast(tf.gather(images, pixels[:, tap], axis=axis), tf.int32)
        return tap + 1, total + part * _along(fixed[:, tap], axis)

    shape = tf.tensor_scatter_nd_update(tf.shape(images), [[axis]], [stop - start])
    half = tf.fill(shape, 1 << (_PILLOW_BITS - 1))
    shapes = [None if i == axis else n for i, n in enumerate(images.shape)]
    _, total = tf.while_loop(
        lambda tap, _: tap < taps,
        add,
        (tf.constant(0), half),
        (tf.TensorShape([]), tf.TensorShape(shapes)),
        parallel_iterations=1,
    )
    levels = tf.bitwise.right_shift(total, _PILLOW_BITS)
    return tf.cast(tf.clip_by_value(levels, 0, 255), tf.uint8)


def _cubic(distance):
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * -0.5
    return tf.where(distance < 1, near, tf.where(distance < 2, far, 0))


def opencv_bilinear(images, size, window):
    """OpenCV's INTER_LINEAR: of the two nearest pixels, whatever the reduction.

    Arguments and result as in `pillow_bicubic`.
    """
    left, right, fade, gain = _opencv_axis(images, 2, size[1], *window[2:])
    # Columns beyond the border are the border's; rows are mixed with it, which rounds once more.
    gain = tf.where(left == right, 0, gain)
    fade = tf.where(left == right, 1 << _OPENCV_BITS, fade)
    images = _mixed(images, 2, left, right, fade, gain)
    images = tf.bitwise.right_shift(images, 4)
    above, below, fade, gain = _opencv_axis(images, 1, size[0], *window[:2])
    ends = ((above, fade), (below, gain))
    parts = [tf.gather(images, rows, axis=1) * _along(weight, 1) for rows, weight in ends]
    levels = sum(tf.bitwise.right_shift(part, 16) for part in parts)
    return tf.cast(tf.bitwise.right_shift(levels + 2, 2), tf.uint8)


def _opencv_axis(images, axis, target, start, stop):
    """Both neighbours of each pixel, and their weights in 1/2048: four int32 [stop - start]."""
    length = tf.shape(images)[axis]
    step = 1 / (tf.cast(target, tf.float64) / tf.cast(length, tf.float64))
    places = (tf.cast(tf.range(start, stop), tf.float64) + 0.5) * step - 0.5
    places = tf.cast(places, tf.float32)
    before = tf.floor(places)
    share = places - before
    ends = [tf.clip_by_value(tf.cast(before, tf.int32) + i, 0, length - 1) for i in (0, 1)]
    # tf.round rounds halves to even, as OpenCV does.
    weights = [tf.round(part * (1 << _OPENCV_BITS)) for part in (1 - share, share)]
    return (*ends, *(tf.cast(weight, tf.int32) for weight in weights))


def _mixed(images, axis, before, behind, fade, gain):
    ends = [tf.cast(tf.gather(images, pixels, axis=axis), tf.int32) for pixels in (before, behind)]
    return ends[0] * _along(fade, axis) + ends[1] * _along(gain, axis)


def _along(weights, axis):
    return tf.reshape(weights, [-1] + [1] * (3 - axis))
