"""Label maps of scenes: those of the whole image, at the same place."""

import dataclasses
import os
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data.test_scenes import GEO, GREY_CONTIG, RGB_CONTIG, STRIPS, TILES, ZIP, drawn, save
from tfseg import visualize, workflows
from tfseg.data import scenes
from tfseg.data.geotiff import GEO_TAGS, nodata_tag
from tfseg.data.image_files import read_image
from tfseg.data.scenes import Scene
from tfseg.errors import TfsegError
from tfseg.inference import scene_files, views
from tfseg.inference.crf import CRF
from tfseg.inference.predictor import Predictor
from tfseg.inference.protocol import Protocol
from tfseg.models import ModelSpec, Preprocessing

tifffile = pytest.importorskip("tifffile")

TILED = Protocol(tile_size=128)
RESIZED = Protocol(scales=(0.75,), flip=True, tile_size=128)


def built(channels, **preprocessing):
    values = Preprocessing((0.5,) * channels, (0.2,) * channels, **preprocessing)
    options = {"channels": channels, "blocks": [1, 1, 1, 1]}
    spec = ModelSpec("resnet18+linear", 3, options, values, list("abc"))
    model = spec.build()
    # Random weights like one class best; this makes them like all as well.
    logits = Predictor(spec, model).logits(picture((150, 160), channels).astype(values.bands.dtype))
    bias = next(one for one in model.decoder.trainable_variables if one.shape == (3,))
    bias.assign(bias - logits.mean((0, 1)))
    return spec, model


@pytest.fixture(scope="module")
def photographs():
    return built(3)


def picture(size, channels=3, seed=0):
    """Blotches, of which even random weights make something of several classes."""
    small = drawn("uint8", channels, [n // 16 + 1 for n in size], seed)
    image = np.kron(small, np.ones((16, 16, 1), np.uint8))[: size[0], : size[1]]
    return image // 2 + drawn("uint8", channels, size, seed) // 2


@pytest.mark.parametrize(
    ("protocol", "size", "layout"),
    [
        (TILED, (230, 310), {**TILES, **ZIP}),
        (TILED, (230, 310), STRIPS),
        (RESIZED, (150, 180), {**TILES, **ZIP}),
    ],
)
def test_as_the_whole_image_in_the_same_tiles(
    photographs, tmp_path, protocol, size, layout, monkeypatch
):
    monkeypatch.setattr(scene_files, "_TILE", 64)
    # Several strips to a tile, and several tiles to a strip, both occur.
    monkeypatch.setattr(views, "_STRIP", 20 * 310 * 3)
    array = picture(size)
    path = save(tmp_path / "a.tif", array, GEO, **RGB_CONTIG, **layout)
    predictor = Predictor(*photographs, protocol)
    found = workflows.predict(predictor, [path], str(tmp_path / "out"), ("labels", "color"))
    assert not found.failures
    labels = tifffile.imread(tmp_path / "out/labels/a.tif")
    whole = predictor.predict(array)
    assert len(np.unique(whole)) > 1
    # The graphs differ, and with them the rounding of what is nearly a tie.
    assert (labels != whole).mean() < 1e-4
    np.testing.assert_array_equal(Image.open(tmp_path / "out/color/a.tif"), labels)


def test_labels_lie_where_the_scene_does(photographs, tmp_path):
    array = picture((70, 90))
    array[:20, :30] = 0
    path = save(tmp_path / "a.tif", array, [*GEO, nodata_tag(0)], **RGB_CONTIG, **TILES)
    spec, model = photographs
    # Two values are those of classes: without data is the next.
    spec = dataclasses.replace(spec, label_map={7: 0, 254: 1, 255: 2})
    predictor = Predictor(spec, model)
    out, counted = tmp_path / "out", {}
    found = workflows.predict(
        predictor,
        [path],
        str(out),
        ("labels", "color", "ids", "overlay", "panel"),
        on_shares=lambda path, shares: counted.update(shares),
    )
    assert not found.failures and abs(sum(counted.values()) - 1) < 1e-9
    source = tifffile.TiffFile(path).pages[0]
    for kind, empty in (("labels", "255"), ("color", "255"), ("ids", "253")):
        with tifffile.TiffFile(out / kind / "a.tif") as file:
            page = file.pages[0]
            assert page.is_tiled and page.compression == 8 and page.shape == (70, 90)
            for code in GEO_TAGS:
                ours, theirs = page.tags.get(code), source.tags.get(code)
                assert (ours is None) == (theirs is None), code
                assert theirs is None or (ours.value, ours.dtype) == (theirs.value, theirs.dtype)
            assert page.tags[42113].value == empty and page.geotiff_tags == source.geotiff_tags
    labels = tifffile.imread(out / "labels/a.tif")
    assert (labels[:20, :30] == 255).all() and (labels == 255).sum() == 600
    # Smaller than a tile, the scene is seen whole.
    np.testing.assert_array_equal(labels[labels < 255], predictor.predict(array)[labels < 255])
    values = np.array([7, 254, 255] + 253 * [253])
    np.testing.assert_array_equal(tifffile.imread(out / "ids/a.tif"), values[labels])
    colours = np.asarray(Image.open(out / "color/a.tif").convert("RGB"))
    np.testing.assert_array_equal(colours, visualize.colorize(labels, predictor.palette))
    assert Image.open(out / "overlay/a.png").width >= 90


def test_pictures_are_reduced(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(scene_files, "_SHOWN", 40)
    monkeypatch.setattr(scene_files, "_TILE", 16)
    array = picture((70, 90))
    path = save(tmp_path / "a.tif", array, GEO, **RGB_CONTIG, **TILES)
    with Scene(path) as scene:
        small = scene_files._reduced(scene, Predictor(*photographs).bands, 3)
    exact = array[:69].reshape(23, 3, 30, 3, 3).mean((1, 3))
    assert small.shape == (24, 30, 3) and np.abs(small[:23] - exact).max() <= 0.51
    assert np.abs(small[23] - array[69].reshape(30, 3, 3).mean(1)).max() <= 0.51
    workflows.predict(Predictor(*photographs), [path], str(tmp_path / "out"), ("overlay",))
    assert Image.open(tmp_path / "out/overlay/a.png").width < 90
    assert os.listdir(tmp_path / "out/overlay") == ["a.png"]


def test_many_bands_and_floats(tmp_path):
    spec, model = built(4, value_range=(0, 65535))
    array = picture((150, 140), 4).astype(np.uint16) * 257
    path = save(tmp_path / "a.tif", array, GEO, **GREY_CONTIG, **TILES, **ZIP)
    predictor = Predictor(spec, model, TILED)
    workflows.predict(predictor, [path], str(tmp_path / "out"))
    labels = tifffile.imread(tmp_path / "out/labels/a.tif")
    assert (labels != predictor.predict(read_image(path, bands=predictor.bands))).mean() < 1e-4
    assert Image.open(tmp_path / "out/overlay/a.png").mode == "RGB"


def test_kept_and_the_flag(photographs, tmp_path):
    path = save(tmp_path / "a.tif", picture((40, 50)), GEO, **RGB_CONTIG, **TILES)
    shutil.copy(path, tmp_path / "b.tif")
    predictor, out = Predictor(*photographs), str(tmp_path / "out")
    shares = []
    for kept in (0, 1):
        told = {}
        found = workflows.predict(
            predictor, [path], out, on_shares=lambda path, one, told=told: told.update(one)
        )
        assert found.kept == kept
        shares.append(told)
    assert shares[0] == shares[1]
    # The same photograph as one that isn't a scene.
    found = workflows.predict(predictor, [path], str(tmp_path / "plain"), scenes=False)
    plain = np.asarray(Image.open(tmp_path / "plain/labels/a.png"))
    np.testing.assert_array_equal(plain, tifffile.imread(tmp_path / "out/labels/a.tif"))


@pytest.mark.parametrize("text", ["Gauß|".encode(), "Gauß|".encode("cp1252"), b" WGS 84 |"])
def test_names_of_coordinate_systems_keep_their_bytes(photographs, tmp_path, text):
    path = save(tmp_path / "a.tif", picture((40, 50)), [*GEO[:3], (34737, 2, 0, text, True)])
    found = workflows.predict(Predictor(*photographs), [path], str(tmp_path / "out"), ("labels",))
    assert not found.failures
    with tifffile.TiffFile(tmp_path / "out/labels/a.tif") as file:
        tag = file.pages[0].tags[34737]
        file.filehandle.seek(tag.valueoffset)
        assert file.filehandle.read(tag.count) == text + b"\0"


@pytest.mark.parametrize(("size", "big"), [((60_000, 70_000), False), ((60_000, 75_000), True)])
def test_offsets_suffice(monkeypatch, tmp_path, size, big):
    told = {}
    writer = types.SimpleNamespace(imwrite=lambda *_, **options: told.update(options))
    monkeypatch.setattr(scene_files, "tifffile", writer)
    scene_files._write(tmp_path / "a.tif", (), size, [])
    assert told["bigtiff"] is big


@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(short_sides=(60,)),
        Protocol(scales=(1.5,), image_resizing="pillow_bicubic", padded_scores=True),
    ],
)
def test_what_needs_the_whole_image_gets_small_ones(photographs, tmp_path, protocol):
    array = picture((40, 50))
    path = save(tmp_path / "a.tif", array, [*GEO, nodata_tag(0)], **RGB_CONTIG, **TILES)
    predictor = Predictor(*photographs, protocol)
    found = workflows.predict(predictor, [path], str(tmp_path / "out"), ("labels",))
    assert not found.failures
    labels = np.asarray(Image.open(tmp_path / "out/labels/a.png"))
    np.testing.assert_array_equal(labels, predictor.predict(array))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": Protocol(short_sides=(300,))}, "`short_sides` needs the whole image"),
        (
            {"protocol": Protocol(scales=(0.5,), image_resizing="pillow_bicubic")},
            "`image_resizing=pillow_bicubic` needs the whole",
        ),
        ({"crf": CRF()}, "the dense CRF (`crf`) needs the whole image"),
    ],
)
def test_what_needs_the_whole_image_is_refused(photographs, tmp_path, change, message, monkeypatch):
    path = save(tmp_path / "a.tif", picture((40, 50)), GEO, **RGB_CONTIG, **TILES)
    predictor, out = Predictor(*photographs, **change), str(tmp_path / "out")
    (failure,) = workflows.predict(predictor, [path], out, scenes=True).failures
    assert message in failure and failure.endswith("; `scenes=False` reads it whole")
    monkeypatch.setattr(scenes, "LARGE", 1000)
    assert workflows.predict(predictor, [path], out).failures == (failure,)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 999)
    (failure,) = workflows.predict(predictor, [path], out).failures
    assert failure.endswith("needs the whole image")


@pytest.mark.parametrize(
    ("size", "way_out"),
    [(250, ": `tile_size=125` takes less"), (128, ": `tile_size=96` takes less"), (96, "")],
)
def test_out_of_memory_names_tiles_that_are_taken(
    photographs, tmp_path, size, way_out, monkeypatch
):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    monkeypatch.setattr("tfseg.inference.inference.Inference.strips", fail)
    path = save(tmp_path / "a.tif", picture((40, 50)), **RGB_CONTIG)
    predictor = Predictor(*photographs, Protocol(tile_size=size))
    with Scene(path) as scene, pytest.raises(TfsegError) as caught:
        next(predictor.scene_strips(scene))
    assert str(caught.value) == f"not enough memory for tiles of {size}x{size}{way_out}"


def test_failures_leave_the_others(photographs, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    good = save(folder / "a.tif", picture((40, 50)), GEO, **RGB_CONTIG, **TILES)
    save(folder / "b.tif", picture((40, 50), 4), GEO, **GREY_CONTIG, **TILES)
    with open(good, "rb") as file:
        content = file.read()
    (folder / "c.tif").write_bytes(content[:-3000])
    (folder / "d.tif").write_bytes(content[:20])
    found = workflows.predict(Predictor(*photographs), [str(folder)], str(tmp_path / "out"))
    messages = sorted(found.failures)
    assert found.images == 4 and len(messages) == 3
    assert "b.tif has 4 channels; 3 channels of values in 0..255 are expected" in "".join(messages)
    assert all("\n" not in message for message in messages)
    assert os.listdir(tmp_path / "out/labels") == ["a.tif"]
    left = [name for name in os.listdir(tmp_path / "out") if name.startswith(".")]
    assert not left


def test_the_python_door(photographs, tmp_path):
    path = save(tmp_path / "a.tif", picture((150, 140)), **RGB_CONTIG, **TILES)
    predictor = Predictor(*photographs, TILED)
    with Scene(path) as scene:
        labels = np.concatenate(list(predictor.scene_strips(scene)))
    assert (labels != predictor.predict(path)).mean() < 1e-4
    path, wrong = save(tmp_path / "b.tif", drawn("uint16", 3), **RGB_CONTIG), "would be cut to 8"
    with Scene(path) as scene, pytest.raises(TfsegError, match=wrong):
        next(predictor.scene_strips(scene))
