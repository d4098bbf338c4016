"""Transforms of colours: see `tfseg.data.augment.TransformRow` for their arguments."""

import math

import tensorflow as tf

from tfseg.data.order import fold

# Of the luminance, by ITU-R BT.601.
_GREY = (0.299, 0.587, 0.114)
_LARGEST_SIGMA = 2.0


def uniform(shape, key):
    """Numbers in 0..1 that are a function of the key alone."""
    return tf.random.stateless_uniform(shape, key, alg="philox")


def jitter(image, factors):
    """Brightness, contrast and saturation of a float32 image in 0..255, multiplied by factors."""
    brightness, contrast, saturation = tf.unstack(factors)
    # Brightness' product waits for that of contrast, so its limit is 255 before it.
    image = _clipped(image, tf.math.divide_no_nan(255.0, brightness))
    shape, width = tf.shape(image), tf.shape(image)[1]
    rows = tf.reshape(image, [shape[0], 3 * width])
    mean = tf.reduce_mean(rows @ tf.tile(_GREY, [width])[:, None]) / tf.cast(width, tf.float32)
    image = _in_levels(image * (brightness * contrast) + brightness * mean * (1 - contrast))
    return _in_levels(_saturated(image, saturation))


def _saturated(image, factor):
    """Each pixel's luminance, and its distance from that times a factor."""
    # As one product: sums over three channels take eight times as long.
    mixed = factor * tf.eye(3) + (1 - factor) * tf.constant(_GREY)[:, None]
    return tf.reshape(tf.reshape(image, [-1, 3]) @ mixed, tf.shape(image))


def _in_levels(image):
    return _clipped(image, 255.0)


def _clipped(image, limit):
    # One pass, where `tf.clip_by_value` makes two.
    return tf.raw_ops.ClipByValue(t=image, clip_value_min=0.0, clip_value_max=limit)


def color_jitter(image, label, key, strength):
    """Brightness, contrast and saturation, in this order, times factors from 1 - strength to 1 +
    strength (Howard, "Some Improvements on Deep CNN Based Image Classification", 2013)."""
    return jitter(image, 1 + strength * (2 * uniform([3], key) - 1)), label


def grey(image, label, key, strength):
    """Luminance in all channels, with probability `strength`."""
    chosen = uniform([], key) < strength
    return tf.cond(chosen, lambda: _saturated(image, 0.0), lambda: image), label


def blur(image, label, key, strength):
    """With probability `strength`, a Gaussian with a sigma from 0.1 to 2 pixels (Chen et al.,
    "SimCLR", ICML 2020, appendix A). At the borders the mean is over what there is."""
    chance, where = tf.unstack(uniform([2], key))
    sigma = 0.1 + (_LARGEST_SIGMA - 0.1) * where
    return tf.cond(chance < strength, lambda: _smooth(image, sigma), lambda: image), label


def _smooth(image, sigma):
    reach = math.ceil(3 * _LARGEST_SIGMA)
    taps = tf.exp(-0.5 * (tf.range(-reach, reach + 1, dtype=tf.float32) / sigma) ** 2)
    shape, channels = tf.shape(image), image.shape[-1]

    def filtered(images, axis):
        kernel = tf.reshape(taps, [-1, 1, 1, 1] if axis == 0 else [1, -1, 1, 1])
        kernel = tf.tile(kernel, [1, 1, images.shape[-1], 1])
        return tf.nn.depthwise_conv2d(images[None], kernel, [1] * 4, "SAME")[0]

    smooth = filtered(filtered(image, 0), 1)
    # What the filter has within the image, which is the same for all columns, or rows.
    of_rows = filtered(tf.ones([shape[0], 1, 1]), 0)[:, 0]
    of_columns = filtered(tf.ones([1, shape[1], 1]), 1)[0, :, 0]
    rows = tf.reshape(smooth, [shape[0], shape[1] * channels])
    rows = rows / of_rows / tf.repeat(of_columns, channels)
    return tf.reshape(rows, shape)


def gamma(image, label, key, strength):
    """Each value, as a share of 255, to a power from exp(-strength) to exp(strength)."""
    power = tf.exp(strength * (2 * uniform([], key) - 1))
    # In a fifth of the time that `**` takes.
    return 255 * tf.exp(power * tf.math.log(_clipped(image / 255, 1.0))), label


def noise(image, label, key, strength):
    """Gaussian noise whose deviation is drawn from 0 to `strength`."""
    deviation = strength * uniform([], key)
    values = tf.random.stateless_normal(tf.shape(image), fold(key, 1), alg="philox")
    return tf.clip_by_value(image + deviation * values, 0, 255), label


def erase(image, label, key, strength):
    """With probability `strength`, uniform noise in a rectangle of 2 to 20 % of the area, whose
    sides are in a ratio of 3:10 to 10:3 (Zhong et al., "Random Erasing", AAAI 2020, section 3.1).
    The labels stay: the network has to tell from what is around."""
    u = uniform([5], key)
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    ratio = tf.exp(math.log(10 / 3) * (2 * u[2] - 1))
    area = tf.reduce_prod(size) * (0.02 + 0.18 * u[1])
    sides = tf.minimum(tf.sqrt(area * tf.stack([ratio, 1 / ratio])), size)
    inside = rectangle(tf.shape(image)[:2], u[3:5] * (size - sides), sides)

    def erased():
        values = 255 * uniform(tf.shape(image), fold(key, 1))
        return tf.where(inside[..., None], values, image)

    return tf.cond(u[0] < strength, erased, lambda: image), label


def rectangle(shape, start, sides):
    """bool [height, width]: the pixels whose (row, column) is from `start` to before `start` +
    `sides`, floats [2]."""
    rows, columns = (tf.range(shape[axis], dtype=tf.float32) for axis in (0, 1))
    stop = start + sides
    rows = (rows >= start[0]) & (rows < stop[0])
    columns = (columns >= start[1]) & (columns < stop[1])
    return rows[:, None] & columns[None]
