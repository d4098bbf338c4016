"""Decoding inside the graph: images to RGB, label maps to indices.

What the graph finds wrong it can only raise as `tf.errors.InvalidArgumentError`; the message is
marked, so that `tfseg.data.pipeline_errors` can turn it into a `TfsegError`.
"""

import functools
import zlib

import numpy as np

from tfseg.data import png
from tfseg.data.exif import JPEG_SIGNATURE, orientation_of, turned_tensor
from tfseg.data.graph import traced_once
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

MARK = "[tfseg]"


def require(condition, *message):
    """An op that fails with `message` (strings, tensors of strings or integers) unless `condition`.

    Its result is for `tf.control_dependencies`.
    """
    parts = [
        tf.strings.as_string(part) if tf.is_tensor(part) and part.dtype != tf.string else part
        for part in message
    ]
    return tf.debugging.Assert(condition, [tf.strings.join([MARK, *parts, MARK])])


def is_jpeg(contents):
    """Whether a scalar string tensor starts like a JPEG file, whatever its name says."""
    return tf.strings.substr(contents, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE


def is_png(contents):
    """Whether a scalar string tensor starts like a PNG file."""
    return tf.strings.substr(contents, 0, len(png.SIGNATURE)) == png.SIGNATURE


@traced_once
def decode_image(contents, path):
    """The bytes of a PNG or JPEG file to uint8 RGB [H, W, 3], as people see it.

        It is turned upright as its EXIF orientation says. Grey is repeated, a palette looked up,
    transparency dropped, 16 bits reduced to 8. The pixels are those that
    `tfseg.data.image_files.read_image` gives.

    Args:
        contents: scalar string tensor.
        path: scalar string tensor, for the message when the file is something else.
    """
    known = is_jpeg(contents) | is_png(contents)
    with tf.control_dependencies([require(known, "image ", path, " is no PNG or JPEG file")]):
        # The op reads both kinds, each by its content. The accurate transform is that of other
        # readers, Pillow and OpenCV among them; `decode_image` of TensorFlow has the fast one.
        image = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
    image = tf.ensure_shape(image, [None, None, 3])
    return turned_tensor(image, orientation_of(contents))


@traced_once
def decode_label(contents, path):
    """The bytes of an 8-bit grey or palette PNG file to uint8 values [H, W], never colours.

    It is turned as its own EXIF orientation says, of which few label maps have one.

    Args:
        contents: scalar string tensor.
        path: scalar string tensor, for the message when the file is something else.
    """
    whole = tf.strings.length(contents) >= png.HEADER_SIZE
    with tf.control_dependencies(
        [require(is_png(contents) & whole, "label map ", path, " is not a PNG file")]
    ):
        header = tf.io.decode_raw(tf.strings.substr(contents, 0, png.HEADER_SIZE), tf.uint8)
    colour_type, depth = header[png.COLOUR_TYPE], header[png.BIT_DEPTH]
    names = tf.constant(png.NAMES)
    found = tf.gather(names, tf.minimum(tf.cast(colour_type, tf.int32), len(png.NAMES) - 1))
    check = require(
        png.holds_indices(colour_type, depth),
        *("label map ", path, " has ", tf.strings.as_string(depth), "-bit ", found),
        f" pixels; {png.LABEL_RULE}",
    )
    with tf.control_dependencies([check]):
        label = tf.cond(
            colour_type == png.PALETTE,
            lambda: _decode_palette(contents, depth),
            lambda: tf.io.decode_png(contents, channels=1),
        )
    label = tf.ensure_shape(label, [None, None, 1])
    return turned_tensor(label, orientation_of(contents))[..., 0]


@functools.cache
def _grey_header():
    """What to XOR with a palette PNG's first 33 bytes to make it grey: the type and the checksum.

    CRC-32 is affine: the same change at the same place changes every checksum by the same bits.
    """
    change = np.zeros(png.HEADER_SIZE, np.uint8)
    change[png.COLOUR_TYPE] = png.PALETTE ^ png.GREY
    content = change[12:29].tobytes()  # the checksum covers the chunk's name and content
    crc = zlib.crc32(content) ^ zlib.crc32(bytes(len(content)))
    change[29:33] = np.frombuffer(crc.to_bytes(4, "big"), np.uint8)
    return change


def _decode_palette(contents, depth):
    """Indices [H, W, 1] of a palette PNG, whose decoder knows colours only.

    The file is presented as a grey one: its header says so, and the palette and all else before
    the pixels is left out. A grey decoder stretches 1, 2 or 4 bits to 0..255; that is undone.
    """
    header = tf.io.decode_raw(tf.strings.substr(contents, 0, png.HEADER_SIZE), tf.uint8)
    characters = tf.constant([bytes([value]) for value in range(256)])
    changed = tf.cast(tf.bitwise.bitwise_xor(header, _grey_header()), tf.int32)
    header = tf.strings.reduce_join(tf.gather(characters, changed))

    def chunk_name(position):
        return tf.strings.substr(contents, position + 4, 4)

    def next_chunk(position):
        size = tf.io.decode_raw(
            tf.strings.substr(contents, position, 4), tf.int32, little_endian=False
        )[0]
        # A damaged length must not lead backwards, or this would not end.
        return (position + 12 + tf.maximum(size, 0),)

    length = tf.strings.length(contents)
    (pixels,) = tf.while_loop(
        lambda at: (at + 12 < length) & (at > 0) & (chunk_name(at) != b"IDAT"),
        next_chunk,
        [tf.constant(png.HEADER_SIZE)],
    )
    pixels = tf.clip_by_value(pixels, 0, length)
    rest = tf.strings.substr(contents, pixels, length - pixels)
    grey = tf.io.decode_png(tf.strings.join([header, rest]), channels=1)
    step = 255 // (tf.bitwise.left_shift(1, tf.cast(depth, tf.int32)) - 1)
    return grey // tf.cast(step, tf.uint8)
