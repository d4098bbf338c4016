"""TIFF files read window by window, against what was written into them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfseg.bands import RGB, Bands
from tfseg.data import scenes
from tfseg.data.geotiff import is_nodata, nodata_tag
from tfseg.data.image_files import read_image
from tfseg.data.scenes import Scene, UnsupportedLayout, is_scene
from tfseg.errors import TfsegError

tifffile = pytest.importorskip("tifffile")

SIZE = (70, 93)
# Of UTM zone 32 north, as GDAL writes it; one key has its value here, one in the text.
GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 440720.0, 5100000.0, 0.0), True),
    (34735, 3, 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1026, 34737, 7, 0, 3072, 0, 1, 32632), True),
    (34737, 2, 0, "WGS 84|", True),
]
RGB_CONTIG = {"photometric": "rgb", "planarconfig": "contig"}
GREY_CONTIG = {"photometric": "minisblack", "planarconfig": "contig"}
GREY_PLANES = {"photometric": "minisblack", "planarconfig": "separate"}
TILES, STRIPS, ZIP = {"tile": (32, 48)}, {"rowsperstrip": 9}, {"compression": "zlib"}
LAYOUTS = [
    ("uint8", 3, {**RGB_CONTIG, **TILES}),
    ("uint8", 3, {**RGB_CONTIG, **TILES, **ZIP, "predictor": True}),
    ("uint8", 3, {**RGB_CONTIG, **STRIPS}),
    ("uint8", 3, RGB_CONTIG),  # one strip
    ("uint8", 4, {**RGB_CONTIG, **STRIPS, **ZIP, "extrasamples": ["unassalpha"]}),
    ("uint16", 5, {**GREY_CONTIG, **TILES, **ZIP, "byteorder": ">"}),
    ("uint16", 5, {**GREY_PLANES, **TILES, **ZIP}),
    ("float32", 2, {**GREY_PLANES, **STRIPS, "byteorder": ">", "bigtiff": True}),
    ("int16", 1, {**GREY_CONTIG, **STRIPS, **ZIP}),
    ("uint16", 4, "pages"),
]


def drawn(kind, channels, size=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "float32":
        return rng.uniform(-2, 7, (*size, channels)).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max + 1, (*size, channels)).astype(kind)


def save(path, array, geo=(), byteorder=None, bigtiff=False, **layout):
    with tifffile.TiffWriter(path, byteorder=byteorder, bigtiff=bigtiff) as writer:
        if layout.get("planarconfig") == "separate":
            array = np.moveaxis(array, -1, 0)
        writer.write(array, metadata=None, extratags=list(geo), **layout)
    return str(path)


def saved(path, kind, channels, layout):
    array = drawn(kind, channels)
    if layout == "pages":
        with tifffile.TiffWriter(path) as writer:
            for plane in np.moveaxis(array, -1, 0):
                writer.write(plane, photometric="minisblack", tile=(32, 32), metadata=None)
        return array
    save(path, array[..., 0] if channels == 1 else array, **layout)
    return array


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    names = [(str(folder / f"{n}.tif"), layout) for n, layout in enumerate(LAYOUTS)]
    return [(name, saved(name, *layout)) for name, layout in names]


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
def test_a_scene_says_what_it_holds(files, number):
    (path, array), (kind, channels, _) = files[number], LAYOUTS[number]
    with Scene(path) as scene:
        assert (scene.size, scene.pixels.channels) == (SIZE, channels)
        assert scene.pixels.bits == {"uint8": 8, "uint16": 16}.get(kind, 32)
        assert scene.pixels.alpha == (number == 4)
        whole = scene.read(0, SIZE[0], 0, SIZE[1])
        assert whole.dtype == array.dtype
        np.testing.assert_array_equal(whole, array)


@given(st.data())
def test_any_window_of_any_layout(files, data):
    path, array = data.draw(st.sampled_from(files))
    ends = [
        sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True)))
        for n in SIZE
    ]
    (top, bottom), (left, right) = ends
    with Scene(path) as scene:
        found = scene.read(top, bottom, left, right)
    np.testing.assert_array_equal(found, array[top:bottom, left:right])


def test_images_are_those_of_whole_files(files):
    for (path, _), (kind, channels, layout) in zip(files, LAYOUTS, strict=True):
        if kind == "int16" or layout == "pages":
            continue
        span = {"uint8": (0, 255), "uint16": (0, 65535), "float32": (-2, 7)}[kind]
        bands = RGB if kind == "uint8" else Bands(channels, span)
        with Scene(path) as scene:
            scene.require(bands)
            image, empty = scene.image(bands, 3, 20, 5, 60)
        whole = read_image(path, bands=bands)
        assert empty is None and image.dtype == whole.dtype
        np.testing.assert_array_equal(image, whole[3:20, 5:60])


@pytest.mark.parametrize("compression", ["lzw", "jpeg"])
def test_usual_compressions(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    array = np.full((*SIZE, 3), (200, 30, 90), np.uint8)
    array[:, 48:] = 50, 160, 70
    path = save(tmp_path / "a.tif", array, **RGB_CONTIG, **TILES, compression=compression)
    with Scene(path) as scene:
        found = scene.read(10, 60, 5, 80).astype(int)
    # JPEG's luminance and colours come back as red, green and blue.
    assert np.abs(found - array[10:60, 5:80]).max() <= 8 * (compression == "jpeg")


def test_pieces_are_forgotten(tmp_path, monkeypatch):
    array = drawn("uint8", 3)
    path = save(tmp_path / "a.tif", array, **RGB_CONTIG, **TILES, **ZIP)
    monkeypatch.setattr(scenes, "_CACHE", 2 * 32 * 48 * 3)
    with Scene(path) as scene:
        for _ in range(2):
            np.testing.assert_array_equal(scene.read(0, 70, 0, 93), array)
            assert len(scene._cache) <= 3 and scene._cached <= scenes._CACHE


def test_which_files_are_scenes(tmp_path, monkeypatch):
    array = drawn("uint8", 3)
    plain = save(tmp_path / "plain.tif", array, **RGB_CONTIG)
    located = save(tmp_path / "located.tiff", array, GEO, **RGB_CONTIG)
    indices = save(tmp_path / "palette.tif", array[..., 0], GEO, photometric="palette",
                   colormap=np.zeros((3, 256), np.uint16))  # fmt: skip
    (tmp_path / "other.tif").write_bytes(b"\xff\xd8\xff")
    empty = save(tmp_path / "empty.tif", array, [nodata_tag(0)], **RGB_CONTIG)
    assert [is_scene(x) for x in (plain, located, indices)] == [False, True, False]
    assert is_scene(empty) and not is_scene(empty, whole=True) and is_scene(empty, True, whole=True)
    assert is_scene(plain, True) and not is_scene(located, False)
    assert not is_scene(tmp_path / "other.tif", True) and not is_scene(tmp_path / "no.tif")
    assert not is_scene("gs://bucket/far.tif")
    with pytest.raises(UnsupportedLayout, match="colours are stored as a palette; `gdal_translate"):
        is_scene(indices, True)
    monkeypatch.setattr(scenes, "LARGE", 70 * 93 - 1)
    assert is_scene(plain) and is_scene(plain, whole=True)
    with pytest.raises(UnsupportedLayout, match="palette"):
        is_scene(indices)
    with Scene(indices, "mask", indices=True) as mask:
        np.testing.assert_array_equal(mask.read(0, 70, 0, 93)[..., 0], array[..., 0])


def test_without_tifffile_what_pillow_refuses_names_the_extra(tmp_path, monkeypatch):
    path = save(tmp_path / "a.tif", drawn("uint8", 3), **RGB_CONTIG)
    monkeypatch.setattr(scenes, "_is_installed", lambda: False)
    assert not is_scene(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert not is_scene(path, False)
    message = r'^image .*a\.tif is read in windows, which needs tifffile: .*"tfseg-keras\[tiff\]"$'
    with pytest.raises(TfsegError, match=message):
        is_scene(path)


def test_what_cannot_be_read_in_windows(tmp_path, monkeypatch):
    array = drawn("uint8", 3)
    wrong = {
        "white is zero": {"photometric": "miniswhite", "array": array[..., 0]},
        r"its values have 1 bit": {"array": array[..., 0] > 100, "photometric": "minisblack"},
        r"turned or mirrored": {"geo": [(274, 3, 1, 6, True)], **RGB_CONTIG},
        r"its pages are no bands \(axes": {"array": np.stack([array, array]), **RGB_CONTIG},
    }
    for number, (message, layout) in enumerate(wrong.items()):
        path = save(tmp_path / f"{number}.tif", **{"array": array, **layout})
        with pytest.raises(UnsupportedLayout, match=message):
            Scene(path)
    path = save(tmp_path / "bits.tif", array, **RGB_CONTIG, **ZIP)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags[258].overwrite((5, 6, 5))
    with pytest.raises(UnsupportedLayout, match=r"its values have \(5, 6, 5\) bits"):
        Scene(path)
    path = save(tmp_path / "strip.tif", array, rowsperstrip=70, **RGB_CONTIG, **ZIP)
    monkeypatch.setattr(scenes, "_LARGEST_PIECE", 10_000)
    with pytest.raises(UnsupportedLayout, match="a piece of 93x70 takes 0 MiB"):
        Scene(path)


@pytest.mark.parametrize("layout", [{**TILES, **ZIP}, STRIPS])
def test_damage_is_one_line(tmp_path, layout):
    path = tmp_path / "a.tif"
    save(path, drawn("uint8", 3), **RGB_CONTIG, **layout)
    content = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        last = file.pages[0].dataoffsets[-1]
    path.write_bytes(content[: last + 5])
    for size in (last + 5, 7):
        path.write_bytes(content[:size])
        message = r"^image .*a\.tif can't be read: .+"
        with pytest.raises(TfsegError, match=message) as caught, Scene(path) as scene:
            scene.read(0, 70, 0, 93)
        assert "\n" not in str(caught.value)


def test_no_data(tmp_path):
    array = drawn("float32", 2)
    array[10:20, 30:] = np.nan
    array[50, 50, 0] = np.nan  # one band has a value
    path = save(tmp_path / "a.tif", array, [*GEO, nodata_tag("nan")], **GREY_CONTIG, **TILES)
    bands = Bands(2, (-2, 7))
    with Scene(path) as scene:
        image, empty = scene.image(bands, 5, 25, 20, 93)
        np.testing.assert_array_equal(empty, np.isnan(array[5:25, 20:]).all(-1))
        assert (image[empty] == 0).all() and np.isfinite(image).all()
        with pytest.raises(TfsegError, match=r"NaN"):
            scene.image(bands, 45, 55, 45, 55)


@pytest.mark.parametrize(
    ("kind", "stored", "nodata", "is_it"),
    [
        ("uint8", 0, 0.0, True),
        ("uint8", 255, 256.0, False),
        ("uint8", 0, -9999.0, False),
        ("uint8", 0, float("nan"), False),
        ("uint16", 65535, 65535.0, True),
        ("int16", -9999, -9999.0, True),
        ("int16", 1, 0.5, False),
        ("float32", np.finfo(np.float32).min, -3.40282346638529e38, True),
        ("float32", np.inf, 1e300, True),
    ],
)
def test_no_data_values(kind, stored, nodata, is_it):
    pixels = np.full((2, 3, 2), stored, kind)
    pixels[0, 0, 1] = 7
    found = is_nodata(pixels, nodata)
    assert not found[0, 0] and (found.ravel()[1:] == is_it).all()
