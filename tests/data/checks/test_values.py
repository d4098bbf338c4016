"""Label maps whose values are not classes, in scenes of a disc and a square on ground."""

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, check_dataset


def scene(seed, height=64, width=96):
    """The classes [H, W] of a scene: ground 0, a disc 1, a square 2."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    y, x = rng.integers(16, 48), rng.integers(24, 72)
    labels = ((rows - y) ** 2 + (columns - x) ** 2 < 144).astype(np.uint8)
    y, x = rng.integers(0, 48), rng.integers(0, 72)
    labels[y : y + 16, x : x + 16] = 2
    return labels


def blurred(labels):
    mask = Image.fromarray((labels > 0).astype(np.uint8) * 255)
    for size in ((48, 32), (96, 64)):
        mask = mask.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(mask)


@pytest.fixture
def make(tmp_path):
    """Function (what becomes of the classes, class names) -> report of the check."""

    def check(change, classes):
        rng = np.random.default_rng(0)
        for number in range(3):
            image = rng.integers(60, 110, (64, 96, 3), np.uint8)
            Image.fromarray(image).save(tmp_path / f"{number}.png")
            Image.fromarray(change(scene(number))).save(tmp_path / f"{number}_label.png")
        for kind, ending in (("images", ""), ("labels", "_label")):
            names = "".join(f"{number}{ending}.png\n" for number in range(3))
            (tmp_path / f"train_{kind}.txt").write_text(names)
        DataInfo((0.3,) * 3, (0.2,) * 3, classes).save(tmp_path)
        return check_dataset(tmp_path, splits=["train"])

    return check


NAMES = ["ground", "disc", "square"]


def test_classes_as_they_should_be(make):
    report = make(lambda labels: labels, NAMES)
    assert report.errors == report.warnings == []


@pytest.mark.parametrize(
    "change, value",
    [
        (lambda labels: labels + 1, 3),
        (lambda labels: np.array([0, 128, 255], np.uint8)[labels], 128),
    ],
    ids=["onebased", "grey_levels"],
)
def test_values_beyond_the_classes(make, tmp_path, change, value):
    report = make(change, NAMES)
    assert report.errors == [
        f"label map {tmp_path}/{number}_label.png has the value {value} in "
        f"{(change(scene(number)) == value).sum()} pixels; allowed are 0..2 and 255"
        for number in range(3)
    ]


def test_blended_edges(make, tmp_path):
    report = make(blurred, NAMES[:2])
    errors = [line for line in report.errors if "allowed are 0..1 and 255" in line]
    for number in range(3):
        path = tmp_path / f"{number}_label.png"
        between = np.setdiff1d(blurred(scene(number)), [0, 1, 255])
        own = [line for line in errors if line.startswith(f"label map {path} has the value")]
        assert len(own) == len(between) > 0
        assert all("its edges are blended" in line for line in own)
        assert any(f"{path} looks anti-aliased" in line for line in report.warnings)
