"""Predictions of any program, scored and compared by the command."""

import json

import numpy as np
import pytest
from PIL import Image

import tfseg
from tfseg.cli import main
from tfseg.errors import TfsegError

NAMES = ("a", "b", "c")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A data folder of three images, and the predictions "one" and "two" of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("data", "one", "two"):
        (tmp_path / name).mkdir()
    generator = np.random.default_rng(0)
    for name in NAMES:
        truth = generator.integers(0, 2, (12, 16)).astype(np.uint8)
        for path, labels in (
            (f"data/{name}", np.uint8([[0, 0, 0], [255, 255, 255]])[truth]),
            (f"data/{name}_label", truth),
            (f"one/{name}", np.where(generator.random(truth.shape) < 0.1, 0, truth)),
            (f"two/{name}", np.where(generator.random(truth.shape) < 0.6, 0, truth)),
        ):
            Image.fromarray(labels.astype(np.uint8)).save(f"{path}.png")
    for kind, ending in (("images", ""), ("labels", "_label")):
        text = "".join(f"{name}{ending}.png\n" for name in NAMES)
        (tmp_path / "data" / f"val_{kind}.txt").write_text(text)
    info = {"mean": [0.5] * 3, "std": [0.5] * 3, "classes": ["black", "white"]}
    info["palette"] = [[0, 0, 0], [255, 255, 255]]
    (tmp_path / "data" / "info.json").write_text(json.dumps(info))
    return tmp_path


def run(capsys, *arguments):
    """Exit code, standard output, and the lines of standard error."""
    code = main(list(arguments))
    output = capsys.readouterr()
    return code, output.out, output.err.splitlines()


def test_predictions_are_scored_and_compared(folders, capsys):
    code, text, errors = run(capsys, "evaluate", "--predictions=one/", "--data_dir=data")
    assert code == 0, errors
    assert "mean boundary IoU" in text and "written: one.eval/metrics.json" in text
    assert "  [0." in next(line for line in text.splitlines() if line.startswith("mean IoU"))
    assert run(capsys, "evaluate", "--predictions=two", "--data_dir=data")[0] == 0
    code, text, errors = run(capsys, "compare", "one.eval", "two.eval", "--output_dir=out")
    assert code == 0, errors
    assert "two.eval is worse on" in text and (folders / "out" / "comparison.html").is_file()
    code, text, _ = run(capsys, "compare", "one.eval", "two", "--data_dir=data", "--json=-")
    (difference,) = json.loads(text)["scores"]["mean_iou"]["differences"]
    assert code == 0 and difference["high"] < 0


def test_metrics_and_intervals_are_chosen(folders, capsys):
    flags = ("--predictions=one", "--data_dir=data", "--metrics=mean_boundary_iou,iou")
    code, text, _ = run(capsys, "evaluate", *flags, "--replicates=0")
    assert code == 0 and "mean boundary IoU" in text and "[0." not in text
    assert "micro IoU" not in text


def test_all_that_is_wrong_is_listed_and_nothing_is_scored(folders, capsys):
    """A missing file, another size, a value out of range, colours of no class: a line each."""
    for name in (*NAMES, "d"):
        Image.new("RGB", (16, 12)).save(f"data/{name}.png")
        Image.new("L", (16, 12)).save(f"data/{name}_label.png")
    (folders / "data" / "val_images.txt").write_text("a.png\nb.png\nc.png\nd.png\n")
    (folders / "data" / "val_labels.txt").write_text(
        "".join(f"{name}_label.png\n" for name in "abcd")
    )
    Image.new("L", (8, 6)).save("one/a.png")
    Image.new("L", (16, 12), 7).save("one/b.png")
    Image.new("RGB", (16, 12), (9, 9, 9)).save("one/c.png")
    code, text, errors = run(capsys, "evaluate", "--predictions=one", "--data_dir=data")
    assert code == 1 and not text and not (folders / "one.eval" / "metrics.json").exists()
    assert len(errors) == 4 and all(line.startswith("error: ") for line in errors)
    for line, message in zip(
        errors,
        ("image d.png has no prediction", "is 8x6, but its", "has the value 7", "(9, 9, 9)"),
        strict=True,
    ):
        assert message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--predictions=one", "--data_dir=data", "--flip"], "--flip is for models"),
        (
            ["evaluate", "--run_dir=one", "--data_dir=data", "--ids"],
            "--ids does nothing without --predictions",
        ),
        (["evaluate", "--predictions=one", "--data_dir=data", "--ids"], "--ids needs a label_map"),
        (
            ["evaluate", "--predictions=one", "--data_dir=data", "--group_by=("],
            "--group_by=( is no",
        ),
        (["evaluate", "--predictions=no", "--data_dir=data"], "there is no folder no"),
        (["compare", "one"], "name two or more"),
        (["compare", "one", "two"], "needs --data_dir"),
        (["compare", "one", "no", "--data_dir=data"], "there is no folder no"),
    ],
)
def test_wrong_calls_are_one_line(arguments, message, folders, capsys):
    code, text, errors = run(capsys, *arguments)
    assert code == 1 and not text
    assert len(errors) == 1 and message in errors[0]


def test_a_run_is_told_how_it_is_evaluated(folders, capsys):
    (folders / "run").mkdir()
    (folders / "run" / "config.flags").write_text("--data_dir=data\n--seed=0\n")
    code, _, errors = run(capsys, "compare", "run", "one", "--data_dir=data")
    assert code == 1
    assert errors[0].endswith("evaluate --run_dir=run --data_dir=data --split=val")


def test_from_python(folders):
    found = tfseg.evaluate(predictions="one", data_dir="data")
    assert found.values["scores"]["mean_iou"] > 0.8 and found.written == []
    for arguments, message in (({}, "give a model or"), ({"predictions": "one"}, "`data_dir` is")):
        with pytest.raises(TfsegError, match=message):
            tfseg.evaluate(**arguments)
