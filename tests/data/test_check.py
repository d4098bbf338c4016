import os
import re

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, check_dataset
from tfseg.errors import TfsegError

SIZES = [(20, 30), (24, 24), (20, 30)]


@pytest.fixture
def folder(make_folder):
    make_folder(SIZES, split="val", seed=1)
    return make_folder(SIZES)


def test_a_good_folder(folder):
    report = check_dataset(folder)
    assert report.errors == []
    assert list(report.splits) == ["train", "val"]
    split = report.splits["train"]
    assert split.pairs == 3 and split.sizes == {(30, 20): 2, (24, 24): 1} and split.ignored == 0
    labels = [np.asarray(Image.open(folder / f"train/{n}_label.png")).ravel() for n in range(3)]
    counts = np.bincount(np.concatenate(labels), minlength=4)
    np.testing.assert_array_equal(split.pixels, counts)
    np.testing.assert_allclose(report.frequencies["train"], counts / counts.sum())
    table = report.table()
    assert "30x20, 24x24" in table and "kind 3" in table
    assert f"{counts[1] / counts.sum():.3%}" in table
    # Columns stand under their heads.
    head, *rows = table.splitlines()[-5:]
    assert {len(row) for row in rows} == {len(head)}


def test_ignored_pixels_and_label_map(folder):
    label = np.array(Image.open(folder / "train/0_label.png"))
    label[:2] = 255
    Image.fromarray(label).save(folder / "train/0_label.png")
    DataInfo((0, 0, 0), (1, 1, 1), label_map={0: 1, 1: 0, 2: 255, 3: 1}).save(folder)
    split = check_dataset(folder, num_classes=2, splits=["train"]).splits["train"]
    labels = [np.asarray(Image.open(folder / f"train/{n}_label.png")).ravel() for n in range(3)]
    counts = np.bincount(np.concatenate(labels), minlength=256)
    assert split.ignored == counts[2] + counts[255]
    assert split.pixels.tolist() == [counts[1], counts[0] + counts[3]]


@pytest.mark.parametrize("quick", [False, True])
def test_everything_wrong_is_named(folder, quick):
    def path(name):
        return folder / "train" / name

    os.remove(path("0.png"))
    Image.new("RGB", (24, 23)).save(path("1.png"))
    label = np.array(Image.open(path("2_label.png")))
    label[0, :7] = 200
    label[1, :2] = 9
    Image.fromarray(label).save(path("2_label.png"))
    report = check_dataset(folder, quick=quick)
    assert report.errors == [
        f"image {path('0.png')} does not exist",
        f"image {path('1.png')} is 24x23, but its label map {path('1_label.png')} is 24x24",
        f"label map {path('2_label.png')} has the value 9 in 2 pixels; allowed are 0..3 and 255",
        f"label map {path('2_label.png')} has the value 200 in 7 pixels; allowed are 0..3 and 255",
    ]


def spoil_text(path):
    path.write_text("not an image at all, but long enough to hold a header")


def spoil_end(path):
    path.write_bytes(path.read_bytes()[:-30])


def spoil_colour(path):
    Image.open(path).convert("RGB").save(path)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("1.png", spoil_text, "image .*1.png is not an image"),
        ("1.png", spoil_end, "image .*1.png can't be read"),
        ("1.png", lambda path: Image.new("RGB", (24, 24)).save(path, "BMP"), "is a BMP file"),
        ("1_label.png", spoil_text, "label map .*1_label.png is not a PNG"),
        ("1_label.png", spoil_end, "label map .*1_label.png can't be read"),
        ("1_label.png", spoil_colour, "label map .*1_label.png has 8-bit RGB pixels"),
        ("1_label.png", os.remove, "label map .*1_label.png does not exist"),
    ],
)
def test_spoilt_files(folder, name, spoil, message):
    spoil(folder / "val" / name)
    (error,) = check_dataset(folder).errors
    assert re.search(message, error), error


def test_quick_decodes_few_but_looks_at_all(make_folder):
    folder = make_folder([(8, 8)] * 30)
    for number in (1, 2, 3):
        path = folder / f"train/{number}_label.png"
        label = np.full((8, 8), 9, np.uint8)
        Image.fromarray(label).save(path)
    assert len(check_dataset(folder, splits=["train"]).errors) == 3
    report = check_dataset(folder, splits=["train"], quick=True)
    assert report.errors == [] and report.splits["train"].pairs == 30
    assert 0 < report.splits["train"].pixels.sum() < 30 * 64
    assert "sample" in report.table()


def test_missing_lists_are_errors_too(folder):
    os.remove(folder / "val_labels.txt")
    report = check_dataset(folder, splits=["train", "val", "test"])
    assert list(report.splits) == ["train"]
    assert "val_labels.txt is missing" in report.errors[0]
    assert "no list of the split 'test'" in report.errors[1]


def test_number_of_classes_must_be_known(folder):
    DataInfo((0, 0, 0), (1, 1, 1)).save(folder)
    with pytest.raises(TfsegError, match="--num_classes"):
        check_dataset(folder)
    assert check_dataset(folder, num_classes=4).errors == []


def test_palette_labels_count_as_indices(make_folder):
    folder = make_folder([(8, 8)])
    path = folder / "train/0_label.png"
    label = Image.fromarray(np.full((8, 8), 2, np.uint8), "P")
    label.putpalette([9, 9, 9] * 256)
    label.save(path)
    report = check_dataset(folder, splits=["train"])
    assert report.errors == [] and report.splits["train"].pixels.tolist() == [0, 0, 64, 0]
