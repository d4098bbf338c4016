"""How photographs are turned upright: the orientation that cameras note in their files.

EXIF 3.0, section 4.6.5: the tag 0x0112 of the first directory, one short number from 1 to 8. A JPEG
file has the directory in the first APP1 segment that begins with "Exif", before its pixels; a PNG
file in its chunk eXIf, before or after them (ISO/IEC 15948, eXIf). Whatever is missing, damaged or
out of range means 1: the pixels as they are stored. Orientations in XMP are not looked at.

The rule has two forms, which see the same in every file: `read_orientation` of file objects, and
`orientation_of` strings in the graph.
"""

import numpy as np

from tfseg.data import png
from tfseg.data.graph import traced_once
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

JPEG_SIGNATURE = b"\xff\xd8\xff"

# {orientation: (rows and columns swap, step of the rows, step of the columns)}
TURNS = {
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}

_APP1, _SCAN, _FILL = 0xE1, 0xDA, 0xFF
_EXIF = b"Exif\0\0"
_CHUNK, _LAST_CHUNK = b"eXIf", b"IEND"
# Of a file that says more, what follows isn't looked at. A JPEG segment can't be longer.
_MAX_BLOCK = 2**16
_ENTRY = 12
# {the block's start: (the entry's start: tag, type and count, in the same order of bytes)}
_BYTE_ORDERS = {
    b"MM\0*": ("big", b"\x01\x12\0\x03\0\0\0\x01"),
    b"II*\0": ("little", b"\x12\x01\x03\0\x01\0\0\0"),
}


def swaps_sides(orientation):
    """Whether height and width change places, of a number or tensor."""
    return orientation >= 5


def turned_size(size, orientation):
    """(width, height) of an image as it is seen, from those as stored."""
    return size[::-1] if swaps_sides(orientation) else size


def turned(image, orientation):
    """An image or label map, as stored, as it is meant to be seen.

    Args:
        image: array [H, W] or [H, W, C].
        orientation: 1 to 8.

    Returns:
        An array of the same kind; [W, H] or [W, H, C] where `swaps_sides`.
    """
    swap, rows, columns = TURNS[orientation]
    image = np.swapaxes(image, 0, 1) if swap else image
    return np.ascontiguousarray(image[::rows, ::columns])


def turned_tensor(image, orientation):
    """`turned` of a tensor [H, W, C] and a scalar tensor, in the graph."""

    def turn(swap, rows, columns):
        return (_swapped(image) if swap else image)[::rows, ::columns]

    branches = [lambda turn_=turn_: turn(*turn_) for turn_ in TURNS.values()]
    turned = tf.switch_case(orientation - 1, branches)
    return tf.ensure_shape(turned, [None, None, image.shape[2]])


def _swapped(image):
    """[W, H, C] of [H, W, C].

    `tf.transpose` of integers makes oneDNN print a line about itself, at the level of errors.
    """
    height, width, channels = tf.unstack(tf.shape(image))
    places = tf.range(width)[:, None] + width * tf.range(height)
    return tf.gather(tf.reshape(image, [height * width, channels]), places)


def read_orientation(file):
    """The orientation, 1 to 8, that a JPEG or PNG file states; 1 of any other file.

    Args:
        file: a file object, which can seek; it is left at another place.
    """
    file.seek(0)
    start = file.read(len(png.SIGNATURE))
    if start.startswith(JPEG_SIGNATURE):
        return _orientation(_jpeg_block(file))
    return _orientation(_png_block(file)) if start == png.SIGNATURE else 1


def _jpeg_block(file):
    at = 2
    while True:
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[0] != _FILL or head[1] == _SCAN:
            return b""
        size = int.from_bytes(head[2:4], "big")
        if head[1] == _APP1 and head[4:] == _EXIF:
            return file.read(max(size - 8, 0))
        at += 1 if head[1] == _FILL else size + 2


def _png_block(file):
    at = len(png.SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == _LAST_CHUNK:
            return b""
        size = int.from_bytes(head[:4], "big")
        if head[4:] == _CHUNK:
            return file.read(min(size, _MAX_BLOCK))
        at += size + 12


def _orientation(block):
    order, wanted = _BYTE_ORDERS.get(block[:4], (None, None))
    if order is None:
        return 1

    def number(at, size):
        return int.from_bytes(block[at : at + size].ljust(size, b"\0"), order)

    start = number(4, 4) + 2
    end = min(start + _ENTRY * number(start - 2, 2), len(block))
    for at in range(start, end, _ENTRY):
        if block[at : at + 8] == wanted:
            value = number(at + 8, 2)
            return value if value in TURNS else 1
    return 1


@traced_once
def orientation_of(contents):
    """`read_orientation` in the graph: of a scalar string tensor, a file's bytes, to an int32."""
    contents = tf.convert_to_tensor(contents)
    start = tf.strings.substr(contents, 0, len(png.SIGNATURE))
    jpeg = tf.strings.substr(start, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE
    # Few files have the name anywhere in them, and the others need not be walked through.
    name = tf.where(jpeg, _EXIF, _CHUNK)
    parts = tf.raw_ops.StringSplitV2(input=contents[None], sep=name, maxsplit=1).values
    named = (jpeg | (start == png.SIGNATURE)) & (tf.size(parts) > 1)

    def look():
        at, size = tf.cond(jpeg, lambda: _find_segment(contents), lambda: _find_chunk(contents))
        return _orientation_of(tf.strings.substr(contents, at, size))

    return tf.cond(named, look, lambda: tf.constant(1))


def _raw(text, at, count):
    """int64 [count]: the bytes of a string from a place on, 0 past its end."""
    at = tf.clip_by_value(tf.cast(at, tf.int64), 0, _length(text))
    piece = tf.strings.substr(text, at, tf.cast(count, tf.int64))
    raw = tf.io.decode_raw(piece, tf.uint8, fixed_length=tf.cast(count, tf.int32))
    return tf.cast(raw, tf.int64)


def _length(text):
    return tf.cast(tf.strings.length(text), tf.int64)


def _equal(raw, wanted):
    """Whether the last axis is the bytes `wanted`."""
    return tf.reduce_all(raw == tf.constant(list(wanted), tf.int64), -1)


def _number(raw, big=True):
    weights = 256 ** np.arange(raw.shape[-1], dtype=np.int64)
    return tf.reduce_sum(raw * tf.where(big, weights[::-1], weights), -1)


def _find(contents, at, head_size, step):
    """Where the block is, and how long, from going over the parts of a file; (0, 0) if nowhere.

    `step(head, at)` of a part's first `head_size` bytes and place says where the next one is,
    whether there may be one, whether this one is the block's, and the block's place and size.
    """
    length = _length(contents)

    def body(at, block, size):
        following, more, found, place, count = step(_raw(contents, at, head_size), at)
        following = tf.where(more & ~found, following, length)
        return following, tf.where(found, place, block), tf.where(found, count, size)

    nothing = tf.constant(0, tf.int64)
    _, block, size = tf.while_loop(
        lambda at, *_: at + head_size <= length,
        body,
        [tf.constant(at, tf.int64), nothing, nothing],
    )
    return block, tf.clip_by_value(size, 0, _MAX_BLOCK)


def _find_segment(contents):
    def step(head, at):
        size = _number(head[2:4])
        more = (head[0] == _FILL) & (head[1] != _SCAN)
        found = more & (head[1] == _APP1) & _equal(head[4:], _EXIF)
        following = at + tf.where(head[1] == _FILL, tf.constant(1, tf.int64), size + 2)
        return following, more, found, at + 10, size - 8

    return _find(contents, 2, 10, step)


def _find_chunk(contents):
    def step(head, at):
        size = _number(head[:4])
        more, found = ~_equal(head[4:], _LAST_CHUNK), _equal(head[4:], _CHUNK)
        return at + size + 12, more, found, at + 8, size

    return _find(contents, len(png.SIGNATURE), 8, step)


def _orientation_of(block):
    head = _raw(block, 0, 8)
    (big_mark, (_, big_entry)), (little_mark, (_, little_entry)) = _BYTE_ORDERS.items()
    big = _equal(head[:4], big_mark)
    known = big | _equal(head[:4], little_mark)
    start = _number(head[4:], big) + 2
    count = tf.minimum(_number(_raw(block, start - 2, 2), big), _MAX_BLOCK // _ENTRY)
    entries = tf.reshape(_raw(block, start, _ENTRY * tf.maximum(count, 1)), [-1, _ENTRY])
    wanted = tf.where(big, list(big_entry), list(little_entry))
    hits = tf.reduce_all(entries[:, :8] == tf.cast(wanted, tf.int64), -1)
    hits &= tf.range(tf.size(hits), dtype=tf.int64) < count
    value = _number(entries[tf.argmax(hits)][8:10], big)
    valid = known & tf.reduce_any(hits) & (value >= 1) & (value <= len(TURNS))
    return tf.cast(tf.where(valid, value, 1), tf.int32)
