"""Images and masks cut into tiles: what is where, in which split, and what is refused."""

import filecmp
import itertools
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import tfseg
from tests.data.test_scenes import (
    GEO,
    GREY_CONTIG,
    GREY_PLANES,
    RGB_CONTIG,
    STRIPS,
    TILES,
    ZIP,
    drawn,
    save,
)
from tfseg.bands import RGB, Bands
from tfseg.data import check_dataset, read_split, scenes
from tfseg.data.geotiff import nodata_tag
from tfseg.data.image_files import read_image, read_label
from tfseg.data.pixel_files import npy_bytes
from tfseg.data.prepare.formats import values
from tfseg.data.prepare.tiling import Tiling
from tfseg.errors import TfsegError
from tfseg.parts import Part, Unfinished

SIZE = (70, 93)
TILE = {"tile_size": 40, "overlap": 8}
# Of 70x93 in tiles of 40 that share 8: 0, 30 (not 32: it ends at the edge); 0, 32, 53.
WINDOWS = [(top, left) for top in (0, 30) for left in (0, 32, 53)]


def test_windows_by_hand():
    found = Tiling(40, 8).windows(SIZE)
    assert found == [(top, top + 40, left, left + 40) for top, left in WINDOWS]
    assert Tiling(100, 8).windows(SIZE) == [(0, 70, 0, 93)]
    assert Tiling(70).windows(SIZE) == [(0, 70, 0, 70), (0, 70, 23, 93)]


@given(st.integers(32, 90), st.data())
def test_windows_cover_all_with_the_overlap(tile, data):
    overlap = data.draw(st.integers(0, tile - 8))
    size = [data.draw(st.integers(1, 200)) for _ in range(2)]
    found = Tiling(tile, overlap).windows(size)
    assert len(set(found)) == len(found)
    for axis, length in enumerate(size):
        spans = sorted({window[2 * axis : 2 * axis + 2] for window in found})
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert {stop - start for start, stop in spans} == {min(tile, length)}
        for (start, stop), (following, _) in itertools.pairwise(spans):
            assert start < following <= stop - overlap


def masks(number):
    """Three classes in blocks, other ones in each image."""
    rows, columns = np.indices(SIZE) // 11
    return ((rows + 2 * columns + number) % 3).astype(np.uint8)


def source(root, write, count=4, mask=None):
    """A folder of `count` images, written by `write(path without ending, number)`."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        write(root / "images" / f"field{number}", number)
        label = masks(number)
        if mask is None:
            Image.fromarray(label).save(root / "masks" / f"field{number}.png")
        else:
            mask(root / "masks" / f"field{number}", label)
    return str(root)


def geotiff(path, number, **layout):
    save(f"{path}.tif", drawn("uint8", 3, SIZE, number), GEO, **{**RGB_CONTIG, **TILES, **layout})


def tiles(folder):
    """{(field, row, column): (split, path of the image, path of the label)}."""
    found = {}
    for split in ("train", "val"):
        chosen = read_split(folder, split)
        for image, label in zip(chosen.images, chosen.labels, strict=True):
            stem = os.path.splitext(os.path.basename(image))[0]
            assert os.path.splitext(os.path.basename(label))[0] == stem
            field, row, column = stem.split("_")
            found[field, int(row[1:]), int(column[1:])] = split, image, label
    return found


KINDS = {
    "tiles": ("uint8", 3, geotiff),
    "strips": ("uint8", 3, lambda path, n: geotiff(path, n, **ZIP, rowsperstrip=9, tile=None)),
    "png": ("uint8", 3, lambda p, n: Image.fromarray(drawn("uint8", 3, SIZE, n)).save(f"{p}.png")),
    "planes": (
        *("uint16", 5),
        lambda p, n: save(f"{p}.tif", drawn("uint16", 5, SIZE, n), GEO, **GREY_PLANES, **STRIPS),
    ),
    "npy": (
        *("uint16", 2),
        lambda p, n: p.with_suffix(".npy").write_bytes(npy_bytes(drawn("uint16", 2, SIZE, n))),
    ),
    "floats": (
        *("float32", 2),
        lambda p, n: save(f"{p}.tif", drawn("float32", 2, SIZE, n), **GREY_CONTIG, **TILES, **ZIP),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_are_pieces_of_their_images(tmp_path, kind):
    dtype, channels, write = KINDS[kind]
    out = str(tmp_path / "out")
    found = tfseg.prepare(source=source(tmp_path / "in", write), data_dir=out, **TILE)
    # A fifth of the four scenes, at least one: all of a scene's tiles lie in one split.
    assert found.counts == {"train": 18, "val": 6} and not found.skipped
    there = tiles(out)
    assert set(there) == {(f"field{n}", *place) for n in range(4) for place in WINDOWS}
    assert len({(field, split) for (field, *_), (split, *_) in there.items()}) == 4
    for (field, top, left), (_, image, label) in there.items():
        number, window = int(field[-1]), np.s_[top : top + 40, left : left + 40]
        pixels = read_image(image, bands=found.info.bands)
        np.testing.assert_array_equal(pixels, drawn(dtype, channels, SIZE, number)[window])
        np.testing.assert_array_equal(read_label(label), masks(number)[window])
    if dtype != "float32":
        assert found.info.bands == (RGB if dtype == "uint8" else Bands(channels, (0, 65535)))
    assert not check_dataset(out).errors


def test_pixels_without_data_are_ignored(tmp_path):
    def write(path, number):
        array = drawn("uint8", 3, SIZE, number) // 2 + 1
        array[:, :75] = 200
        save(f"{path}.tif", array, [*GEO, nodata_tag(200)], **RGB_CONTIG, **TILES)

    out = str(tmp_path / "out")
    found = tfseg.prepare(source=source(tmp_path / "in", write), data_dir=out, **TILE)
    # Of the six tiles, only the two at the right have something to learn from.
    assert found.counts == {"train": 6, "val": 2} and len(found.skipped) == 16
    assert found.skipped[0][1].endswith("(tile at row 0, column 0) has no labelled pixel")
    for (field, top, left), (_, image, label) in tiles(out).items():
        assert left == 53
        labels, wanted = read_label(label), masks(int(field[-1]))[top : top + 40, 53:]
        assert (labels[:, :22] == 255).all() and (labels[:, 22:] == wanted[:, 22:]).all()
        assert (read_image(image)[:, :22] == 0).all()


MASKS = {
    "values": lambda path, label: save(f"{path}.tif", label * 50, **GREY_CONTIG, **STRIPS, **ZIP),
    "colours": lambda path, label: save(
        f"{path}.tif", np.array([[0, 0, 0], [200, 0, 0], [0, 9, 90]], np.uint8)[label],
        **RGB_CONTIG, **TILES,
    ),
    "palette": lambda path, label: save(
        f"{path}.tif", label, photometric="palette", colormap=np.full((3, 256), 257, np.uint16),
        **TILES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MASKS)
def test_large_files_are_never_read_whole(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(scenes, "LARGE", 1000)
    monkeypatch.setattr(values, "_ROWS", 32)
    monkeypatch.setattr(values, "_COLUMNS", 48)
    monkeypatch.setattr(values, "read_values", None)
    monkeypatch.setattr("tfseg.data.prepare.formats.masks.read_values", None)
    monkeypatch.setattr("tfseg.data.prepare.tiling.read_image", None)
    out = str(tmp_path / "out")
    folder = source(tmp_path / "in", geotiff, mask=MASKS[kind])
    found = tfseg.prepare(source=folder, data_dir=out, **TILE)
    assert found.counts == {"train": 18, "val": 6}
    for (field, top, left), (_, _, label) in tiles(out).items():
        wanted = masks(int(field[-1]))[top : top + 40, left : left + 40]
        if kind == "colours":  # are numbered by how often they occur
            assert len(np.unique(read_label(label) * 3 + wanted)) == 3
        else:
            np.testing.assert_array_equal(read_label(label), wanted)


def test_parts_make_the_same_folder(tmp_path):
    folder = source(tmp_path / "in", geotiff)
    whole = tfseg.prepare(source=folder, data_dir=str(tmp_path / "whole"), **TILE)
    for number in (1, 2):
        found = tfseg.prepare(
            source=folder, data_dir=str(tmp_path / "parts"), part=Part(number, 2), **TILE
        )
        assert isinstance(found, Unfinished) == (number == 1)
    assert found.counts == whole.counts
    for name in ("train_images.txt", "val_labels.txt", "info.json"):
        assert filecmp.cmp(tmp_path / "whole" / name, tmp_path / "parts" / name, shallow=False)


def test_dry_run_counts_tiles(tmp_path):
    found = tfseg.prepare(source=source(tmp_path / "in", geotiff), dry_run=True, **TILE)
    assert found.counts == {"train": 18, "val": 6}
    assert any("4 images become 24 tiles of at most 40x40 pixels" in note for note in found.notes)


def test_one_scene_lies_on_one_side(tmp_path):
    found = tfseg.prepare(source=source(tmp_path / "in", geotiff, count=1), dry_run=True, **TILE)
    assert found.counts == {"train": 6}
    assert any("there is one scene, whose tiles stay together" in note for note in found.notes)


def test_scenes_that_are_left_out_do_not_count(tmp_path):
    folder = source(tmp_path / "in", geotiff, count=2)
    Image.fromarray(masks(1)[:-1]).save(tmp_path / "in/masks/field1.png")
    found = tfseg.prepare(source=folder, dry_run=True, **TILE)
    assert len(found.skipped) == 1 and found.counts == {"train": 6}
    assert any("1 image becomes 6 tiles" in note for note in found.notes)
    assert any("there is one scene, whose tiles stay together" in note for note in found.notes)


def test_scenes_of_a_group_stay_together(tmp_path):
    folder = source(tmp_path / "in", geotiff)
    for path in tmp_path.glob("in/*/field*"):
        place = "north" if path.stem in ("field0", "field2") else "south"
        path.rename(path.with_name(f"{path.stem}_{place}{path.suffix}"))
    found = tfseg.prepare(source=folder, dry_run=True, group_by="north|south", **TILE)
    assert found.counts == {"train": 12, "val": 12}


def test_what_does_not_fit_is_one_line(tmp_path):
    folder = source(tmp_path / "in", geotiff, count=6)
    Image.fromarray(masks(0)[:-1]).save(tmp_path / "in/masks/field0.png")
    path = tmp_path / "in/images/field1.tif"
    path.write_bytes(path.read_bytes()[:100])
    os.unlink(tmp_path / "in/masks/field2.png")
    found = tfseg.prepare(source=folder, data_dir=str(tmp_path / "out"), **TILE)
    reasons = {os.path.basename(path): reason for path, reason in found.skipped}
    assert len(reasons) == len(found.skipped) == 3 and sum(found.counts.values()) == 18
    assert reasons["field0.tif"].endswith("is 93x69, but its image 93x70")
    assert "field1.tif can't be read: " in reasons["field1.tif"]
    assert reasons["field2.tif"] == "an image without labels"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_size": 16}, "`tile_size` must be at least 32, not 16"),
        ({"tile_size": 40, "overlap": 40}, r"`overlap` must be in 0\.\.39 with `tile_size=40`"),
        ({"overlap": 8}, "`overlap` is that of tiles: it needs `tile_size`"),
        ({**TILE, "size": (20, 20)}, "`size` is for whole images: leave it out with `tile_size`"),
        ({**TILE, "in_place": True}, "`in_place` is for whole images"),
    ],
)
def test_what_has_no_meaning(tmp_path, options, message):
    folder = source(tmp_path / "in", geotiff)
    with pytest.raises(TfsegError, match=message):
        tfseg.prepare(source=folder, data_dir=str(tmp_path / "out"), **options)
