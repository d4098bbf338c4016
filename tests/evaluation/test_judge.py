"""Predictions of any program: found, read, checked and counted."""

import json

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation.judge import PredictionErrors, judge_predictions, measures_for, reading_rule
from tfseg.evaluation.metrics import Settings
from tfseg.evaluation.predictions import find_predictions, read_prediction

PALETTE = [[0, 0, 0], [200, 0, 0], [0, 200, 0]]


@pytest.fixture
def truth():
    return np.random.default_rng(0).integers(0, 3, (4, 8, 6)).astype(np.uint8)


@pytest.fixture
def data(tmp_path, truth):
    """A data folder of four images in two folders."""
    root = tmp_path / "data"
    lines = []
    for number, labels in enumerate(truth):
        folder = "ab"[number % 2]
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 8)).save(root / folder / f"{number}.png")
        Image.fromarray(labels).save(root / folder / f"{number}_label.png")
        lines.append(f"{folder}/{number}.png {folder}/{number}_label.png\n")
    (root / "val.txt").write_text("".join(lines))
    info = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": ["x", "y", "z"], "palette": PALETTE}
    (root / "info.json").write_text(json.dumps(info))
    return root


def palette_image(labels, palette=PALETTE):
    image = Image.fromarray(labels)
    image.putpalette(np.uint8(palette).tobytes())
    return image


def one_hot(labels, dtype=np.float32):
    return np.eye(3, dtype=dtype)[labels]


WRITERS = {
    "index": lambda path, labels: Image.fromarray(labels).save(f"{path}.png"),
    "palette": lambda path, labels: palette_image(labels).save(f"{path}.png"),
    "colours": lambda path, labels: Image.fromarray(np.uint8(PALETTE)[labels]).save(f"{path}.png"),
    "sixteen": lambda path, labels: Image.fromarray(labels.astype(np.uint16)).save(f"{path}.png"),
    "tiff": lambda path, labels: Image.fromarray(labels).save(f"{path}.tif"),
    "labels": lambda path, labels: np.save(f"{path}.npy", labels.astype(np.int64)),
    "probabilities": lambda path, labels: np.save(f"{path}.npy", one_hot(labels)),
    "half": lambda path, labels: np.save(f"{path}.npy", one_hot(labels, np.float16)),
    "first": lambda path, labels: np.save(f"{path}.npy", np.moveaxis(one_hot(labels), -1, 0)),
}
PLACES = {
    "folders": lambda number: f"{'ab'[number % 2]}/{number}",
    "flat": lambda number: str(number),
    "ending": lambda number: f"{number}_pred",
    "like labels": lambda number: f"{number}_label",
    "other folders": lambda number: f"deep/er/{number}",
}


def write(folder, truth, writer=WRITERS["index"], place=PLACES["flat"]):
    for number, labels in enumerate(truth):
        path = folder / place(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(path, labels)
    return str(folder)


@pytest.mark.parametrize("place", PLACES)
def test_predictions_are_found_by_name(data, truth, tmp_path, place):
    folder = write(tmp_path / "found", truth, place=PLACES[place])
    paths, errors = find_predictions(folder, read_split(data, "val"))
    assert not errors and [path.count(str(n)) > 0 for n, path in enumerate(paths)]
    assert judge_predictions(folder, data, jobs=1).value("mean_iou") == 1


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_file(data, truth, tmp_path, kind):
    wrong = truth.copy()
    wrong[0, 0, 0] = (wrong[0, 0, 0] + 1) % 3
    folder = write(tmp_path / "found", wrong, WRITERS[kind])
    records = judge_predictions(folder, data, jobs=1)
    assert records.value("pixel_accuracy") == pytest.approx(1 - 1 / truth.size)
    assert ("calibration" in records.measures) == (kind in ("probabilities", "half", "first"))


def test_ids_colours_and_sizes_by_rule(data, truth, tmp_path):
    info = DataInfo.load(data)
    ids = reading_rule(info, values={7: 0, 8: 1, 9: 2, 0: 255})
    Image.fromarray(truth[0] + 7).save(tmp_path / "ids.png")
    labels, _ = read_prediction(str(tmp_path / "ids.png"), (8, 6), ids)
    np.testing.assert_array_equal(labels, truth[0])
    # A palette in another order is right once its colours are said.
    table = {(9, 9, 9): 0, (8, 8, 8): 1, (0, 0, 0): 2}
    image = palette_image(2 - truth[0], [[0, 0, 0], [8, 8, 8], [9, 9, 9]])
    image.save(tmp_path / "painted.png")
    colours = reading_rule(info, colours=table)
    labels, _ = read_prediction(str(tmp_path / "painted.png"), (8, 6), colours)
    np.testing.assert_array_equal(labels, truth[0])
    Image.fromarray(truth[0].repeat(2, 0).repeat(2, 1)).save(tmp_path / "large.png")
    larger = reading_rule(info, resize=True)
    labels, _ = read_prediction(str(tmp_path / "large.png"), (8, 6), larger)
    np.testing.assert_array_equal(labels, truth[0])


BAD = {
    "size": (lambda p, x: WRITERS["index"](p, x[:5]), "is 6x5, but its labels are 6x8"),
    "value": (lambda p, x: WRITERS["index"](p, x + 3), "has the value 3 in"),
    "negative": (lambda p, x: np.save(f"{p}.npy", x.astype(int) - 1), "has the value -1 in"),
    "shape": (lambda p, x: np.save(f"{p}.npy", x[None]), r"has the shape \[1, 8, 6\]"),
    "classes": (lambda p, x: np.save(f"{p}.npy", one_hot(x)[..., :2]), "of the shape"),
    "sum": (lambda p, x: np.save(f"{p}.npy", one_hot(x) * 0.9), r"row 0, column 0 sum to 0\.9"),
    "nan": (lambda p, x: np.save(f"{p}.npy", one_hot(x) * np.nan), "sum to nan"),
    "palette": (lambda p, x: palette_image(x, PALETTE[::-1]).save(f"{p}.png"), "another order"),
    "colour": (lambda p, x: Image.new("RGB", (6, 8), (1, 2, 3)).save(f"{p}.png"), r"\(1, 2, 3\)"),
    "text": (lambda p, x: p.with_suffix(".png").write_text("hello"), "is not an image"),
    "array": (lambda p, x: p.with_suffix(".npy").write_bytes(b"hello"), "can't be read"),
    "jpeg": (lambda p, x: Image.fromarray(x).save(f"{p}.png", "JPEG"), "are not exact"),
    "void": (lambda p, x: None, r"image b/1\.png has no prediction: 1\.png is not in"),
    "twice": (lambda p, x: [WRITERS[k](p, x) for k in ("index", "tiff")], "several predictions"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_is_one_line(data, truth, tmp_path, kind):
    bad, message = BAD[kind]
    folder = tmp_path / "found"
    write(folder, truth[:1])
    for number in (2, 3):
        WRITERS["index"](folder / str(number), truth[number])
    bad(folder / "1", truth[1])
    with pytest.raises(PredictionErrors, match=message) as caught:
        judge_predictions(str(folder), data, jobs=1, output_dir=tmp_path / "out")
    assert len(caught.value.errors) == 1 and "\n" not in str(caught.value)


def test_all_of_it_is_said_and_what_was_right_is_kept(data, truth, tmp_path):
    folder = tmp_path / "found"
    write(folder, truth)
    WRITERS["index"](folder / "0", truth[0] + 9)
    WRITERS["index"](folder / "2", truth[2][:3])
    (folder / "3.png").unlink()
    with pytest.raises(PredictionErrors, match="and 2 more") as caught:
        judge_predictions(str(folder), data, jobs=1, output_dir=tmp_path / "out")
    lines = "\n".join(caught.value.errors)
    assert "no prediction: 3.png" in lines and "has the value 1" in lines and "is 6x3" in lines
    for number in (0, 2, 3):
        WRITERS["index"](folder / str(number), truth[number])
    seen = []
    records = judge_predictions(
        str(folder),
        data,
        jobs=1,
        output_dir=tmp_path / "out",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(2, 4), (3, 4), (4, 4)] and records.value("mean_iou") == 1


def test_several_processes_count_the_same(data, truth, tmp_path, monkeypatch):
    monkeypatch.setattr("tfseg.evaluation.judge._FEW", 1)
    folder = write(tmp_path / "found", (truth + 1) % 3)
    alone = judge_predictions(folder, data, jobs=1)
    several = judge_predictions(folder, data, jobs=2)
    for one, other in zip(alone.rows, several.rows, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_are_checked_too(data, truth, tmp_path):
    Image.fromarray(truth[0] + 50).save(data / "a" / "0_label.png")
    with pytest.raises(PredictionErrors, match=r"label map .*0_label\.png has the value 5\d in"):
        judge_predictions(write(tmp_path / "found", truth), data, jobs=1)


def test_folders_without_predictions(data, tmp_path):
    with pytest.raises(TfsegError, match="there is no folder"):
        judge_predictions(str(tmp_path / "nothing"), data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TfsegError, match="has no predictions"):
        judge_predictions(str(tmp_path / "empty"), data)
    Image.new("L", (6, 8)).save(tmp_path / "empty" / "other.png")
    with pytest.raises(TfsegError, match="is called like an image: there is other"):
        judge_predictions(str(tmp_path / "empty"), data)


def test_metrics_choose_what_is_measured():
    assert measures_for(["mean_iou"], Settings(3)) == ("confusion", "counts", "image")
    assert "boundary" in measures_for(["mean_boundary_iou"], Settings(3))
    with pytest.raises(TfsegError, match="needs probabilities"):
        measures_for(["reliability"], Settings(3))
    with pytest.raises(TfsegError, match="did you mean mean_iou"):
        measures_for(["meaniou"], Settings(3))
