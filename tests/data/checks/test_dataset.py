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
    with pytest.raises(TfsegError, match="`num_classes`"):
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


def write_labels(folder, change, splits=("train", "val")):
    """Replaces each label map by what `change` makes of its values and its number."""
    for split in splits:
        for number, path in enumerate(sorted((folder / split).glob("*_label.png"))):
            values = change(np.array(Image.open(path)), number)
            image = values if isinstance(values, Image.Image) else Image.fromarray(values)
            image.save(path)


@pytest.mark.parametrize("quick", [False, True])
def test_a_class_without_pixels_is_noticed(folder, quick):
    write_labels(folder, lambda label, _: np.minimum(label, 2))
    report = check_dataset(folder, quick=quick)
    assert report.errors == []
    assert report.warnings == [
        f"the split {name}: none of the 3 label maps has a pixel of the class 3 (kind 3)"
        for name in ("train", "val")
    ]


def test_the_quick_check_looks_for_classes_beyond_its_sample(make_folder):
    folder = make_folder([(8, 8)] * 30)
    write_labels(folder, lambda label, number: label * 0 + (number % 4 if number > 20 else 0))
    assert check_dataset(folder, splits=["train"], quick=True).warnings == []


@pytest.mark.parametrize("quick", [False, True])
def test_labels_that_are_all_ignored(folder, quick):
    write_labels(folder, lambda label, number: label * 0 + 255 if number == 1 else label)
    write_labels(folder, lambda label, _: label * 0 + 255, ["val"])
    report = check_dataset(folder, quick=quick)
    (error,) = report.errors
    assert error.startswith(
        "the split val has no pixel that counts: all pixels of the 3 label maps"
    )
    (warning,) = report.warnings
    assert "1 of the 3 label maps has no pixel that counts" in warning


def test_masks_of_0_and_255(folder):
    write_labels(folder, lambda label, _: np.where(label > 1, 255, 0).astype(np.uint8))
    DataInfo((0, 0, 0), (1, 1, 1), ["ground", "object"]).save(folder)
    first, _ = check_dataset(folder).warnings
    assert "class 1 (object)" in first and '"label_map": {"0": 0, "255": 1}' in first
    DataInfo((0, 0, 0), (1, 1, 1), ["ground", "object"], label_map={0: 0, 255: 1}).save(folder)
    report = check_dataset(folder)
    assert report.errors == report.warnings == []
    split = report.splits["train"]
    assert split.ignored == 0 and split.pixels.min() > 0 and split.pixels.sum() == 600 * 2 + 576


def test_a_label_map_wins_over_the_ignore_label(folder):
    label_map = {0: 0, 1: 1, 2: 1, 3: 0}
    DataInfo((0, 0, 0), (1, 1, 1), ["a", "b"], ignore_label=2, label_map=label_map).save(folder)
    split = check_dataset(folder).splits["train"]
    assert split.ignored == 0 and split.pixels.sum() == 600 * 2 + 576


def test_palettes_that_disagree(folder):
    colours = [[0, 0, 0], [200, 40, 40], [40, 60, 220], [9, 9, 9]]

    def paint(label, number):
        order = [0, 2, 1, 3] if number else [0, 1, 2, 3]
        image = Image.fromarray(np.argsort(order).astype(np.uint8)[label], "P")
        image.putpalette([x for index in order for x in colours[index]])
        return image

    write_labels(folder, lambda label, _: paint(label, 0))
    assert check_dataset(folder).errors == []
    write_labels(folder, paint, ["val"])
    (error,) = check_dataset(folder).errors
    assert re.search(r"the palettes disagree: .*0_label.png paints the value [12] in \(", error)


def test_more_classes_than_label_maps_can_hold(folder):
    with pytest.raises(TfsegError, match="257 classes are too many"):
        check_dataset(folder, num_classes=257)


def test_a_folder_that_cannot_be_written_is_checked_all_the_same(folder, caplog):
    journal = folder / "check.jsonl"
    journal.mkdir()
    assert check_dataset(folder, journal=journal).errors == []
    (message,) = {record.getMessage() for record in caplog.records}
    assert "check.jsonl can't be written: " in message
    assert "is a folder, not a file; what is found isn't kept" in message


@pytest.mark.parametrize("line", ["[" * 9999, "\xff", "[[1], {}]", "[[1], 3]", '"ab"', "{}"])
def test_a_damaged_journal_is_written_anew(folder, line):
    journal = folder / "check.jsonl"
    journal.write_bytes(line.encode("latin-1") + b"\n")
    assert check_dataset(folder, journal=journal).errors == []
    assert len(journal.read_text().splitlines()) == 6
