"""Image files decoded inside a graph, after their headers were looked at.

A file of a kilobyte can declare an image of gigabytes. The header says so, and it is read first.
"""

import tensorflow as tf

from tfseg.data import png
from tfseg.data.decoding import decode_image, is_jpeg, is_png
from tfseg.data.exif import orientation_of, swaps_sides

# As far as a PNG's width and height.
_HEADER = png.HEIGHT + 4


def check_size(size, image_size, max_side):
    """An operation that fails unless images may have this size.

    Args:
        size: int64 [2], height and width.
        image_size: the (height, width) that images must have, or None.
        max_side: the largest height and width.
    """
    if image_size is not None:
        return tf.debugging.Assert(
            tf.reduce_all(size == tf.constant(image_size, tf.int64)),
            [f"an image must have {image_size[0]} rows and {image_size[1]} columns, not", size],
        )
    return tf.debugging.Assert(
        tf.reduce_all((size >= 1) & (size <= max_side)),
        [f"an image must have 1 to {max_side} rows and columns, not", size],
    )


def decode(contents, image_size, max_side):
    """The image in a JPEG or PNG file.

    Args:
        contents: scalar string, the file's bytes.
        image_size, max_side: see `check_size`.

    Returns:
        uint8 RGB [H, W, 3]; see `decode_image`. It is turned upright as its EXIF orientation says,
        and has its size after that.

    The operation fails on anything else, on damaged files, and on sizes that are not allowed: then
    before an image is decoded.
    """
    jpeg = is_jpeg(contents)
    known = tf.debugging.Assert(
        (jpeg | is_png(contents)) & (tf.strings.length(contents) >= _HEADER),
        ["not an image: expected the bytes of a JPEG or PNG"],
    )
    with tf.control_dependencies([known]):
        size = tf.cond(jpeg, lambda: _jpeg_size(contents), lambda: _png_size(contents))
        size = tf.where(swaps_sides(orientation_of(contents)), size[::-1], size)
    with tf.control_dependencies([check_size(size, image_size, max_side)]):
        image = decode_image(contents, "given")
    image.set_shape([*(image_size or (None, None)), 3])
    return image


def _jpeg_size(contents):
    return tf.cast(tf.image.extract_jpeg_shape(contents)[:2], tf.int64)


def _png_size(contents):
    fields = tf.io.decode_raw(tf.strings.substr(contents, png.WIDTH, 8), tf.uint8)
    digits = tf.reshape(tf.cast(fields, tf.int64), [2, 4])
    width_height = tf.reduce_sum(digits * tf.constant([2**24, 2**16, 2**8, 1], tf.int64), 1)
    return width_height[::-1]
