"""Decoding inside the graph: images to numbers, label maps to indices.

What the graph finds wrong it can only raise as `tf.errors.InvalidArgumentError`; the message is
marked, so that `tfseg.data.pipeline_errors` can turn it into a `TfsegError`.
"""

import functools
import re
import zlib

import numpy as np

from tfseg.bands import RGB
from tfseg.data import png
from tfseg.data.exif import JPEG_SIGNATURE, orientation_of, turned_tensor
from tfseg.data.graph import traced_once
from tfseg.data.pixel_files import NPY_SIGNATURE
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


def is_npy(contents):
    """Whether a scalar string tensor starts like a NumPy file."""
    return tf.strings.substr(contents, 0, len(NPY_SIGNATURE)) == NPY_SIGNATURE


def decode_image(contents, path, bands=RGB):
    """The bytes of a PNG, JPEG or NumPy file to an image [H, W, channels], as people see it.

    It is turned upright as its EXIF orientation says. Where RGB is wanted, grey is repeated and a
    palette looked up; transparency is dropped where it isn't one of the channels. The pixels are
    those that `tfseg.data.image_files.read_image` gives.

    Args:
        contents: scalar string tensor.
        path: scalar string tensor, for the message when the file is something else.
        bands: `Bands` of what the file has to be.

    Returns:
        A tensor of `bands.dtype`.
    """
    return _image_decoder(bands)(contents, path)


@functools.cache
def _image_decoder(bands):
    # The op reads both kinds, each by its content. The accurate transform is that of other
    # readers, Pillow and OpenCV among them; `decode_image` of TensorFlow has the fast one.
    def photograph(contents):
        return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")

    def decode_rgb(contents, path):
        known = is_jpeg(contents) | is_png(contents)
        deep = is_png(contents) & (_header_byte(contents, png.BIT_DEPTH) == b"\x10")
        checks = [
            require(known, "image ", path, " is no PNG or JPEG file"),
            require(~deep, "image ", path, f" {bands.fault(3, 16)}"),
        ]
        with tf.control_dependencies(checks):
            return upright(photograph(contents), contents)

    def decode_any(contents, path):
        known = is_jpeg(contents) | is_png(contents) | is_npy(contents)
        with tf.control_dependencies(
            [require(known, "image ", path, " is no PNG, JPEG or NPY file")]
        ):
            kind = tf.cast(is_png(contents), tf.int32) + 2 * tf.cast(is_npy(contents), tf.int32)
        image = tf.switch_case(
            kind,
            [
                lambda: _jpeg_pixels(contents, path, bands),
                lambda: _png_pixels(contents, path, bands),
                lambda: _npy_pixels(contents, path, bands),
            ],
        )
        return upright(image, contents)

    def upright(image, contents):
        image = tf.ensure_shape(image, [None, None, bands.channels])
        return turned_tensor(image, orientation_of(contents))

    # NumPy files are for what PNG and JPEG can't hold: eight bits of three channels they can.
    return traced_once(decode_rgb if bands.is_photograph else decode_any)


def _header_byte(contents, at):
    """A byte of a PNG file's header, a scalar string; zero where the file ends before."""
    padded = tf.strings.join([tf.strings.substr(contents, 0, png.HEADER_SIZE), bytes(at + 1)])
    return tf.strings.substr(padded, at, 1)


def _require_kind(right, path, bands):
    """Fails, in the words of all, where an image is not such as `bands` says."""
    return require(right, "image ", path, f" is of another kind: {bands.describe()} are expected")


def _never(path, bands):
    with tf.control_dependencies([_require_kind(tf.constant(False), path, bands)]):
        return tf.zeros([0, 0, bands.channels], bands.dtype)


def _jpeg_pixels(contents, path, bands):
    if bands.channels not in (1, 3) or bands.value_range[1] > 255:
        return _never(path, bands)
    grey = tf.image.extract_jpeg_shape(contents)[2] == 1
    right = grey if bands.channels == 1 else tf.constant(True)
    with tf.control_dependencies([_require_kind(right, path, bands)]):
        image = tf.io.decode_jpeg(contents, bands.channels, dct_method="INTEGER_ACCURATE")
    return tf.cast(image, bands.dtype)


def _png_pixels(contents, path, bands):
    kinds = {1: (png.GREY, png.GREY_ALPHA), 4: (png.RGBA,), 3: range(len(png.NAMES))}
    if bands.channels not in kinds:
        return _never(path, bands)
    colours = tf.constant([bytes([kind]) for kind in kinds[bands.channels]])
    right = tf.reduce_any(_header_byte(contents, png.COLOUR_TYPE) == colours)
    deep = _header_byte(contents, png.BIT_DEPTH) == b"\x10"
    if bands.in_levels:
        right &= ~deep
    elif bands.value_range[1] > 255:
        right &= deep
    with tf.control_dependencies([_require_kind(right, path, bands)]):
        contents = tf.identity(contents)

    def pixels(dtype):
        return tf.cast(tf.io.decode_png(contents, bands.channels, dtype), bands.dtype)

    if bands.in_levels:
        return pixels(tf.uint8)
    return tf.cond(deep, lambda: pixels(tf.uint16), lambda: pixels(tf.uint8))


# What NumPy files may hold, by the name in their headers.
_NPY_TYPES = {"|u1": "uint8", "<u2": "uint16", "<f4": "float32"}
# Behind magic and version stands the length of the header, two bytes, then the header.
_NPY_START = 10


def _npy_pixels(contents, path, bands):
    """The pixels of a NumPy file of the first version, whose header is a line of text."""
    if bands.in_levels:
        names = ["|u1"]
    else:
        names = ["<u2", "<f4"] + (["|u1"] if bands.value_range[1] <= 255 else [])
    whole = tf.strings.join([contents, bytes(_NPY_START)])
    length = tf.io.decode_raw(tf.strings.substr(whole, _NPY_START - 2, 2), tf.uint16)[0]
    start = tf.minimum(_NPY_START + tf.cast(length, tf.int32), tf.strings.length(contents))
    header = tf.strings.substr(whole, _NPY_START, start - _NPY_START)
    # [H, W] is one channel, and of three channels may be grey.
    last = {1: "(?:, 1)?", 3: "(?:, [13])?"}.get(bands.channels, f", {bands.channels}")
    kinds = "|".join(map(re.escape, names))
    form = (
        rf"\{{'descr': '({kinds})', 'fortran_order': False, "
        rf"'shape': \((\d{{1,6}}), (\d{{1,6}}){last}\), \}}\s*"
    )
    right = tf.strings.regex_full_match(header, form)
    right &= tf.strings.substr(whole, 6, 2) == b"\x01\x00"
    with tf.control_dependencies([_require_kind(right, path, bands)]):
        fields = tf.strings.regex_replace(header, form, r"\1 \2 \3")
    # One that doesn't match fails before this is looked at.
    fields = tf.strings.split(tf.strings.join([fields, " 0 0 0"], " "))
    size = tf.strings.to_number(fields[1:3], tf.int32)
    values = tf.strings.substr(contents, start, tf.strings.length(contents) - start)

    def pixels(dtype):
        raw = tf.io.decode_raw(values, dtype)
        if dtype == "float32":
            finite = tf.reduce_all(tf.math.is_finite(raw))
            message = " has values that are no finite numbers (NaN)"
            with tf.control_dependencies([require(finite, "image ", path, message)]):
                raw = tf.identity(raw)
        image = tf.reshape(tf.cast(raw, bands.dtype), tf.concat([size, [-1]], 0))
        return tf.broadcast_to(image, tf.concat([size, [bands.channels]], 0))

    chosen = tf.argmax(tf.cast(fields[0] == tf.constant(names), tf.int32), output_type=tf.int32)
    branches = [lambda name=name: pixels(_NPY_TYPES[name]) for name in names]
    return tf.switch_case(chosen, branches)


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
