import io
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.bands import RGB, Bands
from tfseg.data.decoding import decode_image
from tfseg.data.image_files import image_size, read_image
from tfseg.data.pixel_files import npy_bytes
from tfseg.errors import TfsegError

DEEP = (0, 65535)


def values(channels, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(0, 3, (5, 7, channels)).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max + 1, (5, 7, channels)).astype(dtype)


def png(array):
    return tf.io.encode_png(array).numpy()


def jpeg(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=95)
    return file.getvalue()


def both(contents, bands):
    """What the graph and Python both see."""
    eager = decode_image(tf.constant(contents), tf.constant("some/image"), bands)
    image = read_image(contents, bands=bands)
    assert image.dtype == bands.dtype
    np.testing.assert_array_equal(eager, image)
    return image


# (array, how it is stored, bands, which of its channels are read)
RIGHT = [
    (values(1), png, Bands(1), [0]),
    (values(2), png, Bands(1), [0]),
    (values(4), png, Bands(4), [0, 1, 2, 3]),
    (values(4), png, RGB, [0, 1, 2]),
    (values(1, "uint16"), png, Bands(1, DEEP), [0]),
    (values(1, "uint16"), png, Bands(3, DEEP), [0, 0, 0]),
    (values(2, "uint16"), png, Bands(1, DEEP), [0]),
    (values(3, "uint16"), png, Bands(3, DEEP), [0, 1, 2]),
    (values(4, "uint16"), png, Bands(3, DEEP), [0, 1, 2]),
    (values(4, "uint16"), png, Bands(4, DEEP), [0, 1, 2, 3]),
    (values(3), png, Bands(3, (0, 100)), [0, 1, 2]),
    (values(4), npy_bytes, Bands(4), [0, 1, 2, 3]),
    (values(13, "uint16"), npy_bytes, Bands(13, DEEP), list(range(13))),
    (values(2, "float32"), npy_bytes, Bands(2, (-9, 9)), [0, 1]),
    (values(1, "float32")[..., 0], npy_bytes, Bands(1, (-9, 9)), [0]),
    (values(1, "uint16"), npy_bytes, Bands(3, DEEP), [0, 0, 0]),
    (values(6), npy_bytes, Bands(6, (0, 200)), list(range(6))),
]


@pytest.mark.parametrize(("array", "encode", "bands", "chosen"), RIGHT)
def test_pixels_are_kept_as_they_are(array, encode, bands, chosen):
    contents = encode(array)
    whole = array if array.ndim == 3 else array[..., None]
    np.testing.assert_array_equal(both(contents, bands), whole[..., chosen])
    assert image_size(contents, "it") == (7, 5)


def test_grey_photographs():
    grey = Image.fromarray(values(1)[..., 0])
    np.testing.assert_array_equal(both(jpeg(values(1)[..., 0]), Bands(1))[..., 0].shape, (5, 7))
    file = io.BytesIO()
    grey.convert("1").save(file, "PNG")
    assert set(np.unique(both(file.getvalue(), Bands(1)))) <= {0, 255}


WRONG = [
    (png(values(3)), Bands(1)),
    (png(values(3)), Bands(4)),
    (png(values(1)), Bands(2)),
    (png(values(1, "uint16")), RGB),
    (png(values(3, "uint16")), RGB),
    (png(values(4, "uint16")), Bands(4)),
    (png(values(3)), Bands(3, DEEP)),
    (jpeg(values(3)), Bands(1)),
    (jpeg(values(3)), Bands(3, DEEP)),
    (npy_bytes(values(4)), Bands(3, DEEP)),
    (npy_bytes(values(4)), Bands(5)),
    (npy_bytes(values(4, "float32")), Bands(4)),
    (npy_bytes(np.full((2, 2, 2), np.nan, np.float32)), Bands(2, (-9, 9))),
]


@pytest.mark.parametrize(("contents", "bands"), WRONG)
def test_other_pixels_are_refused_by_both(contents, bands):
    with pytest.raises(TfsegError, match="image it "):
        read_image(contents, "it", bands=bands)
    with pytest.raises(tf.errors.InvalidArgumentError, match="image it "):
        decode_image(tf.constant(contents), tf.constant("it"), bands)


@pytest.mark.parametrize("cut", [0, 5, 9, 12, 100, 130])
def test_a_cut_npy_file_is_an_error(cut):
    contents = npy_bytes(values(4))[:cut]
    with pytest.raises(TfsegError):
        read_image(contents, "it", bands=Bands(4))
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_image(tf.constant(contents), tf.constant("it"), Bands(4))


@pytest.mark.parametrize(("of", "becomes"), [(b"}", b" "), (b"'shape'", b"'shape "), (b"'", b"(")])
def test_a_damaged_header_of_npy_is_an_error(of, becomes):
    """NumPy's parser has error types of its own."""
    contents = npy_bytes(values(4))
    damaged = contents.replace(of, becomes, 1)
    assert damaged != contents
    with pytest.raises(TfsegError, match="image it "):
        read_image(damaged, "it", bands=Bands(4))
    with pytest.raises(tf.errors.InvalidArgumentError, match="image it "):
        decode_image(tf.constant(damaged), tf.constant("it"), Bands(4))


@pytest.mark.parametrize(
    ("array", "stored"),
    [
        (np.array([[-5, 7]], np.int16), np.float32),
        (np.array([[True, False]]), np.uint8),
        (np.array([[1.5, 2]], np.float64), np.float32),
        (np.array([[1, 2]], ">u2"), np.uint16),
    ],
)
def test_other_numbers_become_what_holds_them(array, stored, tmp_path):
    np.save(tmp_path / "a.npy", array)
    bands = Bands(1) if stored == np.uint8 else Bands(1, (-9, 9))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", bands=bands)[..., 0], array)


def test_numbers_that_float32_can_not_hold(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[2**24 + 1]], np.int32))
    with pytest.raises(TfsegError, match="float32 can't hold"):
        read_image(tmp_path / "a.npy", bands=Bands(1, (0, 9)))


def test_arrays():
    bands = Bands(2, DEEP)
    array = values(2, "uint16")
    np.testing.assert_array_equal(read_image(array, bands=bands), array.astype(np.float32))
    for wrong, message in (
        (
            values(3, "uint16"),
            r"numbers \[height, width, 2\] in 0\.\.65535, not uint16 \[5, 7, 3\]",
        ),
        (np.full((1, 1, 2), np.inf), "no finite numbers"),
    ):
        with pytest.raises(TfsegError, match=message):
            read_image(wrong, bands=bands)


TIFFS = [
    (values(4), {"photometric": "rgb", "extrasamples": ["unspecified"]}, Bands(4)),
    (values(4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, Bands(4)),
    (values(6, "uint16"), {"photometric": "minisblack", "planarconfig": "contig"}, Bands(6, DEEP)),
    # As somebody writes it who knows no more than the function's name: a page for each row.
    (values(4, "uint16"), {}, Bands(4, DEEP)),
    (values(3, "uint16"), {"photometric": "rgb"}, Bands(3, DEEP)),
    (values(1, "float32")[..., 0], {}, Bands(1, (-9, 9))),
    (values(1)[..., 0], {}, RGB),
    (values(3), {"photometric": "rgb"}, RGB),
]


@pytest.mark.parametrize(("array", "options", "bands"), TIFFS)
def test_tiff(array, options, bands, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    image = read_image(tmp_path / "a.tif", bands=bands)
    expected = array if array.ndim == 3 else array[..., None]
    np.testing.assert_array_equal(image, np.broadcast_to(expected, image.shape))
    assert image.dtype == bands.dtype


def test_tiff_with_bands_as_planes(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    planes = np.moveaxis(values(5, "uint16"), -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="minisblack", planarconfig="separate")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif", bands=Bands(5, DEEP)), values(5, "uint16")
    )


def test_without_tifffile(tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", values(6), photometric="minisblack", planarconfig="contig")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(TfsegError, match=r"needs tifffile: pip install \"tfseg-keras\[tiff\]\""):
        read_image(tmp_path / "a.tif", bands=Bands(6))
    # What Pillow reads without loss needs no other library.
    Image.fromarray(values(3)).save(tmp_path / "b.tif")
    assert read_image(tmp_path / "b.tif").shape == (5, 7, 3)
