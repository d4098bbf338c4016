"""Images and label maps through an affine map, of which only what a crop shows is computed."""

import tensorflow as tf

from tfseg.data.resizing import legacy_window, resize_labels, scaled_window


def unscaled(matrix, ratio):
    """The map to an image `ratio` times as large, float64 [height, width]: pixel -0.5 is its own.

    The centre goes to the centre, and so do whole numbers exactly at a ratio of 1.
    """
    ratio = ratio[::-1, None]
    return tf.concat([matrix[:, :2] * ratio, matrix[:, 2:] * ratio + (ratio - 1) / 2], 1)


def show(image, label, matrix, scaled, augmentation, normalize, ignore_label):
    """Shows an image and its label map as `random_view` says: the results of `warp`."""
    size = tf.cast(tf.shape(label), tf.float64)
    ratio = size / scaled
    rest = (augmentation.crop_size, normalize, ignore_label, augmentation.fill)
    if augmentation.scale_filter == "bilinear":
        return warp(image, label, unscaled(matrix, ratio), *rest)
    scaled = tf.cast(scaled, tf.int32)
    _, (first, last) = _window(scaled, matrix, augmentation.crop_size, augmentation.fill)
    legacy = augmentation.scale_filter == "legacy"
    image = (legacy_window if legacy else scaled_window)(image, scaled, first, last)
    label = resize_labels(label[None], (scaled[0], scaled[1]), legacy)[0]
    label = label[first[0] : last[0], first[1] : last[1]]
    return warp(image, label, matrix, *rest, scaled, first)


def full_cover():
    """The cover of a sample that shows nothing beyond its image, as `warp` has it."""
    return tf.zeros([0, 0, 1])


def warp(
    image, label, matrix, crop_size, normalize, ignore_label, fill="mean", size=None, first=(0, 0)
):
    """Shows an image and its label map through an affine map.

    Args:
        image: numbers [H, W, channels].
        label: uint8 [H, W].
        matrix: float64 [2, 3], as `random_matrix` gives it.
        crop_size: (height, width) of the result.
        normalize: function of float32 images to float32 normalised images, of any number of
            channels, in which padding is zero.
        ignore_label: what pads the label map.
        fill: see `Augmentation`.
        size, first: of a window of an image: int32 [height, width] of the whole, and the [row,
            column] of the window's first pixel, which `matrix` counts from the whole's.

    Returns:
        float32 [height, width, channels], bilinear; int32 [height, width], nearest; and what share
        of each pixel lies within the image, float32 [height, width, 1], or [0, 0, 1] where all of
        every pixel does.
    """
    image, label, matrix = _needed_window(
        image, label, matrix, crop_size, ignore_label, fill, size, first
    )
    transform = tf.concat([tf.reshape(matrix, [6]), [0.0, 0.0]], 0)
    transform = tf.cast(transform, tf.float32)[None]

    def project(pixels, interpolation, fill):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=pixels[None],
            transforms=transform,
            output_shape=crop_size,
            interpolation=interpolation,
            fill_mode="CONSTANT",
            fill_value=float(fill),
        )[0]

    cover = _cover(matrix, transform[0], tf.shape(label), crop_size)
    image = project(normalize(tf.cast(image, tf.float32)), "BILINEAR", 0)
    label = project(label[..., None], "NEAREST", ignore_label)[..., 0]
    image = tf.ensure_shape(image, [*crop_size, image.shape[-1]])
    return image, tf.cast(tf.ensure_shape(label, crop_size), tf.int32), cover


def _cover(matrix, transform, size, crop_size):
    """The last of `warp`'s results: what it would show of an image of ones."""
    lowest, highest = _reach(matrix, crop_size)
    size = tf.cast(size[::-1], tf.float64)
    whole = tf.reduce_all((lowest > -1e-3) & (highest < size - 1 + 1e-3))

    def shares():
        columns, rows = (tf.range(length, dtype=tf.float32) for length in crop_size[::-1])
        product = 1.0
        for axis, length in enumerate(tf.unstack(tf.cast(size, tf.float32))):
            a, b, c = tf.unstack(transform[3 * axis : 3 * axis + 3])
            place = (a * columns + c) + (b * rows)[:, None]
            product *= tf.clip_by_value(tf.minimum(place + 1, length - place), 0, 1)
        return product[..., None]

    cover = tf.cond(whole, full_cover, shares)
    return tf.ensure_shape(cover, [None, None, 1])


def _window(size, matrix, crop_size, fill):
    """The (row, column) where what a crop shows starts and stops, and of the pixels that it needs.

    With one pixel more on each side for interpolation and rounding. Only a reflected image has
    something to show beyond its edges.

    Returns:
        ((start, stop), (first, last)), each int32 [2]; the latter lie within the image.
    """
    lowest, highest = _reach(matrix, crop_size)
    # From (x, y) to (row, column).
    start = tf.cast(tf.math.floor(lowest), tf.int32)[::-1] - 1
    stop = tf.cast(tf.math.ceil(highest), tf.int32)[::-1] + 2
    if fill != "reflect":
        start = tf.clip_by_value(start, 0, size - 1)
        stop = tf.clip_by_value(stop, start + 1, size)
        return (start, stop), (start, stop)
    shown = [_reflected(tf.range(start[axis], stop[axis]), size[axis]) for axis in (0, 1)]
    first = tf.stack([tf.reduce_min(pixels) for pixels in shown])
    last = tf.stack([tf.reduce_max(pixels) for pixels in shown]) + 1
    return (start, stop), (first, last)


def _reach(matrix, crop_size):
    """The lowest and the highest (x, y) that a crop shows, each float64 [2]."""
    reach = matrix[:, :2] * tf.constant([[crop_size[1] - 1, crop_size[0] - 1]], tf.float64)
    lowest = matrix[:, 2] + tf.reduce_sum(tf.minimum(reach, 0), 1)
    return lowest, matrix[:, 2] + tf.reduce_sum(tf.maximum(reach, 0), 1)


def _reflected(pixels, length):
    """Where pixels beyond an axis' ends lie, mirrored about the outermost as often as need be."""
    turn = tf.maximum(2 * (length - 1), 1)
    pixels = tf.math.floormod(pixels, turn)
    return tf.minimum(pixels, turn - pixels) * tf.cast(length > 1, pixels.dtype)


def _needed_window(image, label, matrix, crop_size, ignore_label, fill, size, first):
    """The part of image and label that the crop shows, and the map to it.

    The rest need not be normalised; of a large image that is most.
    """
    size = tf.shape(label) if size is None else size
    (start, stop), _ = _window(size, matrix, crop_size, fill)
    moved = matrix[:, 2:] - tf.cast(start[::-1], tf.float64)[:, None]
    matrix = tf.concat([matrix[:, :2], moved], 1)
    if fill != "reflect":
        (top, left), (bottom, right) = tf.unstack(start - first), tf.unstack(stop - first)
        return image[top:bottom, left:right], label[top:bottom, left:right], matrix
    inside = []
    for axis in (0, 1):
        pixels = tf.range(start[axis], stop[axis])
        shown = _reflected(pixels, size[axis]) - first[axis]
        image, label = (tf.gather(map_, shown, axis=axis) for map_ in (image, label))
        inside.append((pixels >= 0) & (pixels < size[axis]))
    label = tf.where(inside[0][:, None] & inside[1], label, tf.cast(ignore_label, label.dtype))
    return image, label, matrix
