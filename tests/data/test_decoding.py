import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from tfseg.bands import RGB, Bands
from tfseg.data.decoding import decode_image, decode_label
from tfseg.data.image_files import read_image


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(contents, bands=RGB):
    """What the graph and Pillow both see."""
    image = decode_image(tf.constant(contents), tf.constant("some/image"), bands).numpy()
    np.testing.assert_array_equal(read_image(contents, bands=bands), image)
    return image


def decode(contents):
    eager = decode_label(tf.constant(contents), tf.constant("some/label.png")).numpy()
    graph = tf.function(decode_label)(tf.constant(contents), tf.constant("some/label.png"))
    np.testing.assert_array_equal(eager, graph)
    return eager


def scene(height, width, seed=0):
    """A drawn photograph, smooth with edges and noise, and its label map (PIL images)."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    disc = (y - height / 2) ** 2 + (x - width / 3) ** 2 < (min(height, width) / 4) ** 2
    ground = np.stack([90 + y % 100, 60 + x % 120, 150 - (x + y) % 80], -1)
    image = np.where(disc[..., None], [200, 40, 40], ground) + generator.normal(0, 6, (1, 1, 3))
    image = np.clip(image + generator.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(image), Image.fromarray(disc.astype(np.uint8))


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_kinds_of_images(rgb):
    alpha = np.full((5, 7, 1), 100, np.uint8)
    rgba = Image.fromarray(np.concatenate([rgb, alpha], -1))
    np.testing.assert_array_equal(pixels(encode(Image.fromarray(rgb))), rgb)
    np.testing.assert_array_equal(pixels(encode(rgba)), rgb)
    grey = pixels(encode(Image.fromarray(rgb[..., 0])))
    np.testing.assert_array_equal(grey, rgb[..., :1].repeat(3, -1))
    palette = Image.fromarray(rgb).quantize(16)
    np.testing.assert_array_equal(pixels(encode(palette)), palette.convert("RGB"))


@pytest.mark.parametrize("size", [(48, 64), (33, 47), (8, 1), (1, 9)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 35},
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"progressive": True},
        {"keep_rgb": True},
        {"restart_marker_blocks": 2},
    ],
)
def test_jpeg_is_decoded_as_pillow_does(size, options):
    drawn, _ = scene(*size)
    colour, grey = pixels(encode(drawn, "JPEG", **options)), encode(drawn.convert("L"), "JPEG")
    np.testing.assert_allclose(colour.mean((0, 1)), np.asarray(drawn).mean((0, 1)), atol=12)
    np.testing.assert_array_equal(np.ptp(pixels(grey), axis=-1), 0)


def raw_png(colour_type, depth, transparent, seed=0):
    """A PNG file of any kind that there is, from random bytes: 7 rows of 16 pixels."""
    generator = np.random.default_rng(seed)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    rows = generator.integers(0, 256, (7, 16 * channels * depth // 8), np.uint8)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 16, 7, depth, colour_type, 0, 0, 0))]
    if colour_type == 3:
        chunks.append((b"PLTE", generator.bytes(3 * 2**depth)))
    if transparent:
        size = {0: 2, 2: 6, 3: 2**depth}[colour_type]
        chunks.append((b"tRNS", bytes(size) if colour_type != 3 else generator.bytes(size)))
    chunks.append((b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in [*chunks, (b"IEND", b"")]
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(
    ("colour_type", "depth"),
    [
        (kind, depth)
        for kind in (0, 2, 3, 4, 6)
        for depth in (1, 2, 4, 8, 16)
        if depth in {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(kind, (8, 16))
    ],
)
def test_every_kind_of_png_is_decoded_as_pillow_does(colour_type, depth, transparent):
    if transparent and colour_type > 3:
        pytest.skip("an alpha channel forbids tRNS")
    bands = RGB if depth <= 8 else Bands(value_range=(0, 65535))
    image = pixels(raw_png(colour_type, depth, transparent), bands)
    assert image.shape == (7, 16, 3)
    assert np.ptp(image) > 100


def test_cmyk_jpeg():
    """Both forms cut where Pillow's own conversion rounds: a value differs by 1 at most."""
    inks = np.random.default_rng(0).integers(0, 256, (24, 40, 4), np.uint8)
    contents = encode(Image.fromarray(inks, "CMYK"), "JPEG", quality=95)
    own = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB")).astype(int)
    assert np.abs(pixels(contents) - own).max() == 1


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP", "TIFF"])
def test_other_files_are_no_images(kind):
    # Of the op that decodes JPEG, some would pass.
    contents = encode(Image.new("RGB", (4, 4)), kind)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"image some/a\.jpg is no PNG or JPEG"
    ):
        decode_image(tf.constant(contents), tf.constant("some/a.jpg"))


def test_grey_labels():
    values = np.random.default_rng(0).integers(0, 256, (9, 11), np.uint8)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(values))), values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_labels_are_indices(bits):
    rng = np.random.default_rng(bits)
    values = rng.integers(0, 2**bits, (13, 21), np.uint8)
    image = Image.fromarray(values, "P")
    image.putpalette(rng.integers(0, 256, 768, np.uint8).tobytes())
    # Other chunks before the pixels, of which transparency would make the decoder complain.
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "IDAT and PLTE in words")
    contents = encode(image, bits=bits, transparency=0, pnginfo=text, dpi=(72, 72))
    assert contents[24] == bits and contents[25] == 3
    np.testing.assert_array_equal(decode(contents), values)


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        ("RGB", "8-bit RGB"),
        ("RGBA", "8-bit RGBA"),
        ("LA", "8-bit grey with alpha"),
        ("1", "1-bit grey"),
        ("I;16", "16-bit grey"),
    ],
)
def test_colours_are_no_labels(mode, found):
    contents = encode(Image.new(mode, (4, 3)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"some/label.png has {found} pixels"):
        decode(contents)


@pytest.mark.parametrize("contents", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" + bytes(50)])
def test_other_files_are_no_labels(contents):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"some/label\.png is not a PNG"):
        decode(contents)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_truncated_labels_fail(mode):
    values = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    contents = encode(Image.fromarray(values, mode))
    for size in (40, 60, len(contents) // 2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(contents[:size])
