"""Folders of predictions from files to pages, without TensorFlow."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfseg.errors import TfsegError
from tfseg.evaluation.categories import category_indices, known_categories
from tfseg.evaluation.judge import PredictionErrors
from tfseg.workflows import comparing, judging

CLASSES = ["ground", "disc", "square"]
PALETTE = [[90, 90, 90], [220, 40, 40], [40, 80, 220]]


@pytest.fixture
def folders(tmp_path):
    """A data folder of six images, and three folders of predictions: a good and a poor one, and
    probabilities that are sure of a square where the label of the first image says disc."""
    data = tmp_path / "data"
    for name in ("images", "labels"):
        (data / name).mkdir(parents=True)
    for name in ("good", "poor", "sure"):
        (tmp_path / name).mkdir()
    names = [f"{'ab'[number % 2]}_{number}" for number in range(6)]
    for number, name in enumerate(names):
        truth = np.zeros((36, 48), np.uint8)
        truth[4:16, 4 + number : 20] = 1
        truth[18:32, 20:40] = 2
        given = truth.copy()
        if not number:
            given[truth == 2] = 1
        Image.fromarray(np.uint8(PALETTE)[truth]).save(data / "images" / f"{name}.png")
        Image.fromarray(given).save(data / "labels" / f"{name}.png")
        Image.fromarray(np.roll(truth, 1, 0)).save(tmp_path / "good" / f"{name}.png")
        Image.fromarray(np.roll(truth, 5, 1)).save(tmp_path / "poor" / f"{name}.png")
        np.save(tmp_path / "sure" / f"{name}.npy", 0.02 + 0.94 * np.eye(3)[truth])
    for kind in ("images", "labels"):
        (data / f"val_{kind}.txt").write_text("".join(f"{kind}/{name}.png\n" for name in names))
    info = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": CLASSES, "palette": PALETTE}
    (data / "info.json").write_text(json.dumps(info))
    return tmp_path


def test_a_folder_of_predictions_is_scored_and_shown(folders):
    out = folders / "out"
    found = judging.judge(
        str(folders / "good"), str(folders / "data"), output_dir=str(out), group_by="^[ab]", jobs=1
    )
    values = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert values["scores"] == found.values["scores"]
    score = values["details"]["scores"]["mean_iou"]
    assert score["low"] <= score["value"] <= score["high"]
    assert "2 groups of 6 images" in values["protocol"]["intervals"]
    assert values["protocol"]["without_class"] == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    for text in ("boundary IoU", "Cheng et al., 2021", "trimap mean IoU", "within 4 pixels"):
        assert text in page
    assert found.records.whole and found.written == [
        str(out / name) for name in ("metrics.json", "report.html", "images.npz")
    ]


def test_classes_as_a_data_frame(folders):
    pytest.importorskip("pandas")
    frame = judging.judge(str(folders / "good"), str(folders / "data"), jobs=1).frame()
    assert list(frame.index) == CLASSES and {"iou", "precision", "boundary_f"} <= set(frame)


def test_wrong_labels_are_found_and_shown(folders):
    out = folders / "out"
    judging.judge(
        str(folders / "sure"), str(folders / "data"), output_dir=str(out), suspects=10, jobs=1
    )
    (suspect,) = json.loads((out / "suspects.json").read_text(encoding="utf-8"))
    assert suspect["image"] == "images/a_0.png"
    assert (suspect["given_name"], suspect["suggested_name"]) == ("disc", "square")
    assert suspect["box"] == [20, 18, 40, 32]
    page = (out / "errors.html").read_text(encoding="utf-8")
    assert "Likely wrong labels" in page and "square: most often mistaken for it" in page
    with pytest.raises(TfsegError, match="needs an `output_dir`"):
        judging.judge(str(folders / "sure"), str(folders / "data"), suspects=10)


def test_evaluations_and_folders_are_compared(folders):
    judging.judge(
        str(folders / "good"), str(folders / "data"), output_dir=str(folders / "out"), jobs=1
    )
    sources = [str(folders / "out"), str(folders / "poor")]
    with pytest.raises(TfsegError, match="needs `data_dir`"):
        comparing.compare(sources)
    values = comparing.compare(sources, str(folders / "data"), output_dir=str(folders / "compared"))
    (difference,) = values["scores"]["mean_iou"]["differences"]
    assert difference["sure"] and difference["value"] < 0
    assert [one["name"] for one in values["contestants"]] == ["out", "poor"]
    page = (folders / "compared" / "comparison.html").read_text(encoding="utf-8")
    assert "Images on which poor is worse" in page and page.count('alt="poor"') > 0
    assert json.loads((folders / "compared" / "comparison.json").read_text()) == values
    with pytest.raises(TfsegError, match="stands twice"):
        comparing.compare([sources[0], sources[0]])


def test_runs_of_one_recipe_are_one_contestant(folders):
    runs = []
    for name, seed in (("first", 0), ("second", 1), ("other", 0)):
        run = folders / name
        out = str(run / "eval" / "val")
        source = "poor" if name == "other" else "good"
        judging.judge(str(folders / source), str(folders / "data"), output_dir=out, jobs=1)
        flags = f"--seed={seed}\n--run_dir={run}\n--epochs={9 if name == 'other' else 3}\n"
        (run / "config.flags").write_text(flags)
        runs.append(str(run))
    values = comparing.compare(runs)
    assert [list(one["members"]) for one in values["contestants"]] == [
        ["first", "second"],
        ["other"],
    ]
    assert values["scores"]["mean_iou"]["spread"][0] is not None
    assert len(comparing.compare(runs, seeds=False)["contestants"]) == 3
    with pytest.raises(TfsegError, match="differ by their seed alone"):
        comparing.compare(runs[:2])
    (folders / "other" / "eval" / "val" / "images.npz").unlink()
    with pytest.raises(TfsegError, match="has no evaluation of the split val"):
        comparing.compare(runs)


def test_errors_of_a_folder_are_all_said(folders):
    (folders / "good" / "a_0.png").unlink()
    Image.new("L", (48, 36), 7).save(folders / "good" / "b_1.png")
    with pytest.raises(PredictionErrors) as caught:
        judging.judge(str(folders / "good"), str(folders / "data"), jobs=1)
    assert len(caught.value.errors) == 2


def test_it_goes_without_tensorflow(folders):
    script = (
        "import sys\nimport tfseg\nfrom tfseg.workflows import compare\n"
        "given, data, out = sys.argv[1:]\n"
        "tfseg.evaluate(predictions=given, data_dir=data, output_dir=out, suspects=3, jobs=1)\n"
        "compare([out, given], data, output_dir=out)\n"
        "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules)"
    )
    paths = [str(folders / name) for name in ("good", "data", "out")]
    subprocess.run([sys.executable, "-c", script, *paths], check=True)


def test_categories_by_name():
    assert known_categories(CLASSES) is None
    table = {"thing": ["disc", "square"], "stuff": ["ground"]}
    assert category_indices(table, CLASSES) == (1, 0, 0)
    for wrong, message in (
        ({"thing": ["disc", "square"]}, "the class ground is in no category"),
        ({**table, "more": ["disc"]}, "the class disc is in two"),
        ({**table, "more": ["dog"]}, "has the class dog, which isn't one"),
    ):
        with pytest.raises(TfsegError, match=message):
            category_indices(wrong, CLASSES)
