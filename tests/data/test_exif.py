import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from tfseg.data import exif
from tfseg.data.decoding import decode_image, decode_label
from tfseg.data.image_files import image_size, read_image, read_label

in_graph = tf.function(exif.orientation_of, input_signature=[tf.TensorSpec([], tf.string)])


def directory(order, entries):
    """The bytes of an EXIF block: (tag, type, count, value) each."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    rows = [struct.pack(f"{order}HHIHH", *entry, 0) for entry in entries]
    return mark + struct.pack(f"{order}IH", 8, len(rows)) + b"".join(rows) + bytes(4)


def jpeg(block, before=b""):
    segment = b"Exif\0\0" + block
    head = b"\xff\xd8" + before + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    return head + drawn("JPEG")[2:]


def png(block, late=False):
    """A PNG file with eXIf behind its header or behind its pixels. Its checksum is right."""
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    contents = drawn("PNG")
    place = len(contents) - 12 if late else 33
    return contents[:place] + chunk + contents[place:]


def picture():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def drawn(kind):
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, kind)
    return file.getvalue()


def late_png(block):
    return png(block, late=True)


def padded_jpeg(block):
    return jpeg(block, b"\xff\xfe\0\x08notes.\xff\xff\xff")


def both(contents):
    found = exif.read_orientation(io.BytesIO(contents))
    assert found == int(in_graph(tf.constant(contents)))
    return found


@pytest.mark.parametrize("file", [jpeg, padded_jpeg, png, late_png])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(file, order, orientation, tmp_path):
    contents = file(directory(order, [(0x010F, 3, 1, 7), (0x0112, 3, 1, orientation)]))
    assert both(contents) == orientation
    opened = Image.open(io.BytesIO(contents))
    upright = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_array_equal(read_image(contents), upright)
    np.testing.assert_array_equal(decode_image(tf.constant(contents), "a photo"), upright)
    assert image_size(contents, "a photo") == upright.shape[1::-1]


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"MM\0*",
        directory(">", []),
        directory(">", [(0x0112, 3, 1, 0)]),
        directory(">", [(0x0112, 3, 1, 9)]),
        directory("<", [(0x0112, 3, 2, 6)]),
        directory("<", [(0x0112, 4, 1, 6)]),
        directory("<", [(0x0112, 3, 1, 6)])[:-8],
        b"XX" + directory("<", [(0x0112, 3, 1, 6)])[2:],
        b"MM\0*\xff\xff\xff\xff" + bytes(40),
    ],
)
@pytest.mark.parametrize("file", [jpeg, png])
def test_what_says_nothing_turns_nothing(file, block):
    assert both(file(block)) == 1


def test_the_first_valid_entry_counts():
    assert both(jpeg(directory("<", [(0x0112, 3, 1, 6), (0x0112, 3, 1, 3)]))) == 6
    # In an XMP packet alone it isn't EXIF's.
    packet = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    segment = b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet
    contents = b"\xff\xd8" + segment + drawn("JPEG")[2:]
    assert both(contents) == 1
    np.testing.assert_array_equal(read_image(contents), decode_image(tf.constant(contents), "x"))


def test_the_name_alone_is_no_chunk():
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "eXIf" + directory("<", [(0x0112, 3, 1, 6)]).decode("latin-1"))
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "PNG", pnginfo=text)
    assert both(file.getvalue()) == 1


@given(st.data())
def test_both_forms_agree_on_damaged_files(data):
    """Bytes changed, cut off, or lengths that lead anywhere."""
    file = data.draw(st.sampled_from([jpeg, padded_jpeg, png, late_png]))
    order, orientation = data.draw(st.sampled_from("<>")), data.draw(st.integers(0, 9))
    entries = [(0x0112, 3, 1, orientation)] * data.draw(st.integers(1, 3))
    contents = bytearray(file(directory(order, entries)))
    near = st.integers(0, min(120, len(contents) - 1))
    for place in data.draw(st.lists(near, max_size=4)):
        contents[place] = data.draw(st.integers(0, 255))
    contents = bytes(contents[: data.draw(st.integers(0, len(contents)))])
    assert both(contents) in range(1, 9)


@given(st.binary(max_size=80))
def test_both_forms_agree_on_any_bytes(tail):
    for head in (b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n"):
        both(head + tail)
        both(head + tail + b"Exif\0\0eXIf")


@pytest.mark.parametrize("mode", ["L", "P"])
def test_label_maps_turn_by_the_same_rule(mode, tmp_path):
    values = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9)
    label = Image.fromarray(values)
    if mode == "P":
        label.putpalette(bytes(range(256)) * 3)
    mark = Image.Exif()
    mark[0x0112] = 6
    label.save(tmp_path / "label.png", exif=mark)
    expected = np.rot90(values, -1)
    np.testing.assert_array_equal(read_label(tmp_path / "label.png"), expected)
    contents = tf.constant((tmp_path / "label.png").read_bytes())
    np.testing.assert_array_equal(decode_label(contents, "label"), expected)


def test_decoding_transposes_no_integers():
    """Where it does, oneDNN prints a line of C++ about it, amid a training's."""
    for decode in (decode_image, decode_label):
        file = tf.TensorSpec([], tf.string)
        graph = tf.function(decode).get_concrete_function(file, file).graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        assert "Transpose" not in {node.op for node in nodes}
