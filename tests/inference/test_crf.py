"""Dense CRFs, kept logits, and the tool that brings them together."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfseg.data import read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import refined
from tfseg.evaluation.truth import Truth
from tfseg.inference.crf import (
    CRF,
    count_classes_of,
    grid,
    load_probabilities,
    require_crf,
    save_logits,
    upsampled_probabilities,
)
from tfseg.models import create_model
from tfseg.parts import Part
from tfseg.workflows import refine

TOOL = ("-m", "tfseg", "crf")
installed = pytest.mark.skipif(
    importlib.util.find_spec("pydensecrf") is None, reason="the extra [crf] isn't installed"
)


def halves(height, width):
    """A picture of two colours, and noisy probabilities of which is where."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 200
    truth = (image[..., 0] > 0).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 0.2, truth.shape)
    share = np.clip(0.25 + 0.5 * truth + noise, 0.02, 0.98)
    return image, truth, np.stack([1 - share, share], -1).astype(np.float32)


@installed
def test_labels_follow_the_picture():
    image, truth, probabilities = halves(24, 32)
    assert (probabilities.argmax(-1) != truth).mean() > 0.05
    result = CRF().refine(image, probabilities)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(-1), 1, atol=1e-4)
    np.testing.assert_array_equal(CRF().labels(image, probabilities), truth)


def test_missing_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(TfsegError, match="pip install 'pydensecrf2") as error:
        require_crf()
    assert "\n" not in str(error.value)


def test_published_values_and_grid():
    assert CRF().to_dict() == {
        "iterations": 10,
        "gaussian_weight": 3.0,
        "gaussian_xy": 1.0,
        "bilateral_weight": 4.0,
        "bilateral_xy": 67.0,
        "bilateral_rgb": 3.0,
    }
    found = grid(CRF(iterations=5), bilateral_xy=[30, 60], bilateral_rgb=[3, 9])
    assert [(one.iterations, one.bilateral_xy, one.bilateral_rgb) for one in found] == [
        *((5, 30, 3), (5, 30, 9), (5, 60, 3), (5, 60, 9))
    ]
    with pytest.raises(TfsegError, match="bilateral_xy"):
        CRF(bilateral_xy=0)


@pytest.mark.parametrize("name", ["drn_d_22", "resnet18_dilated8+c1_bilinear"])
def test_kept_logits_give_the_networks_probabilities(name, tmp_path):
    model = create_model(name, 4)
    image = np.random.default_rng(0).normal(size=(1, 33, 47, 3)).astype(np.float32)
    expected = np.asarray(model.probabilities(image))[0]
    logits = np.asarray(model(image)["logits"])[0]
    geometry = ((33, 47), model.upsampling, model.output_stride)
    np.testing.assert_allclose(upsampled_probabilities(logits, *geometry), expected, atol=1e-5)
    save_logits(tmp_path / "a.npz", logits, *geometry)
    # Half precision keeps three digits.
    np.testing.assert_allclose(load_probabilities(tmp_path / "a.npz"), expected, atol=2e-3)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(TfsegError, match=r"a\.npz"):
        load_probabilities(tmp_path / "a.npz")


@pytest.fixture(scope="module")
def logits_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("logits") / "a.npz"
    save_logits(path, np.zeros((3, 4, 2)), (20, 30), "bilinear", 8)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros((3, 4))}, r"float64 \[3, 4\] for an image of 30x20"),
        ({"logits": np.zeros((3, 40, 2))}, "for an image of 30x20"),
        ({"logits": np.zeros((3, 4, 2), int)}, "int64"),
        ({"logits": np.array([[["a"]]])}, "<U1"),
        ({"logits": np.full((3, 4, 2), np.nan)}, "values that aren't finite"),
        ({"size": [20]}, "not enough values"),
        ({"size": [-20, 30]}, "for an image of 30x-20"),
        ({"size": np.zeros(1000)}, r"float64 \[1000\] of size"),
        ({"stride": 0}, "stride 0"),
        ({"upsampling": "cubic"}, "upsampling cubic"),
    ],
)
def test_logits_of_another_kind(change, message, tmp_path):
    entries = {"logits": np.zeros((3, 4, 2)), "size": [20, 30], "upsampling": "bilinear"}
    np.savez(tmp_path / "a.npz", **{**entries, "stride": 8, **change})
    with pytest.raises(TfsegError, match=rf"a.npz isn't a whole file of logits.*{message}"):
        load_probabilities(tmp_path / "a.npz")


def test_logits_of_another_image(logits_file):
    assert load_probabilities(logits_file, (20, 30)).shape == (20, 30, 2)
    with pytest.raises(TfsegError, match=r"a.npz belongs to an image of 30x20, but .* is 20x20"):
        load_probabilities(logits_file, (20, 20))


@given(data=st.data())
def test_any_damage_of_logits_is_one_line(logits_file, tmp_path_factory, data):
    content = bytearray(logits_file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    for read in (lambda path: load_probabilities(path, (20, 30)), count_classes_of):
        try:
            read(path)
        except TfsegError as error:
            assert "damaged.npz" in str(error) and "\n" not in str(error)


def test_label_map_of_another_size_than_the_image(tmp_path):
    for name, shape in (("image.png", (4, 6, 3)), ("label.png", (5, 6))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / name)
    (tmp_path / "val.txt").write_text("image.png label.png\n")
    truth = Truth(read_split(tmp_path, "val"), 2)
    with pytest.raises(TfsegError, match=r"label.png is 6x5, but the prediction of .* is 6x4"):
        truth.predicted(0, np.zeros((4, 6), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """A data folder of many small images, and their logits."""
    image, truth, probabilities = halves(24, 32)
    names = [f"{index:02}.png" for index in range(30)]
    for name in names:
        Image.fromarray(image).save(tmp_path / name)
        save_logits(
            *(tmp_path / "logits" / name.replace("png", "npz"), np.log(probabilities + 1e-6)),
            *((24, 32), "bilinear", 1),
        )
    Image.fromarray(truth).save(tmp_path / "truth.png")
    (tmp_path / "val.txt").write_text("".join(f"{name} truth.png\n" for name in names))
    info = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": ["left", "right"]}
    (tmp_path / "info.json").write_text(json.dumps(info))
    return tmp_path


def command(folder, *more):
    places = (f"--logits_dir={folder}/logits", f"--output_dir={folder}/out")
    arguments = (sys.executable, *TOOL, f"--data_dir={folder}", *places, "--jobs=1", *more)
    return [str(one) for one in arguments]


@installed
def test_killed_tool_finishes_what_is_missing(folder):
    process = subprocess.Popen(command(folder), stderr=subprocess.DEVNULL)
    labels = folder / "out" / "labels"
    deadline = time.monotonic() + 240
    while len(list(labels.glob("[0-9]*.png"))) < 3 and time.monotonic() < deadline:
        assert process.poll() is None or process.returncode == 0
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in labels.glob("[0-9]*.png")}
    assert before
    for name in before:  # none is ever half written
        assert np.asarray(Image.open(labels / name)).shape == (24, 32)
    # One is gone, one is older than its logits.
    gone, old, *_ = before
    (labels / gone).unlink()
    (folder / "logits" / old.replace("png", "npz")).touch()
    result = subprocess.run(command(folder), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    after = {path.name: path.stat().st_mtime_ns for path in labels.glob("[0-9]*.png")}
    assert len(after) == 30
    assert {name for name in before if after[name] == before[name]} == set(before) - {gone, old}
    metrics = json.loads((folder / "out" / "metrics.json").read_text())
    assert metrics["scores"]["mean_iou"] == 1.0
    assert metrics["protocol"]["crf"]["bilateral_xy"] == 67.0


class Threshold:
    """Stands for a CRF."""

    def __init__(self, level):
        self.level = level

    def labels(self, image, probabilities):
        return (probabilities[..., 1] > self.level).astype(np.uint8)

    def to_dict(self):
        return {"level": self.level}


@pytest.fixture
def in_this_process(monkeypatch):
    def run(jobs, function, calls):
        return (function(*arguments) for arguments in calls)

    monkeypatch.setattr(refined, "run_jobs", run)


def test_processes_do_without_their_scripts_tensorflow(tmp_path):
    (tmp_path / "script.py").write_text(
        "import tensorflow\n"
        "from tfseg.inference.crf import CRF, run_jobs\n"
        "if __name__ == '__main__':\n"
        "    calls = [('\"tensorflow\" in __import__(\"sys\").modules', {'crf': CRF()})]\n"
        "    print(list(run_jobs(1, eval, calls)))\n"
    )
    result = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=300
    )
    assert result.stdout == "[False]\n", result.stderr


def test_labels_of_other_logits_are_made_again(folder, in_this_process):
    truth = Truth(read_split(folder, "val").first(3), 2)
    labels, calls = str(folder / "labels"), []

    def refined_now(level, logits):
        show = lambda *counts: calls.append(counts)  # noqa: E731
        return refined.refine_logits(Threshold(level), truth, logits, labels, progress=show)

    logits, copy = str(folder / "logits"), str(folder / "copy")
    shutil.copytree(logits, copy)  # with the times of the first
    matrix, count = refined_now(0.5, logits)
    assert count == 3 and calls == [(1, 3), (2, 3), (3, 3)]
    pathlib.Path(labels, "01.png").unlink()
    again, count = refined_now(0.5, logits)
    assert count == 1 and calls[3:] == [(2, 3), (3, 3)]
    np.testing.assert_array_equal(again, matrix)
    assert [refined_now(*one)[1] for one in ((0.5, copy), (0.5, copy), (0.9, copy))] == [3, 0, 3]


def test_the_last_part_scores_all(folder, in_this_process):
    where = str(folder / "logits"), str(folder)
    whole = refine(Threshold(0.5), *where, str(folder / "whole"))
    found = [
        refine(Threshold(0.5), *where, str(folder / "out"), part=part) for part in Part(1, 3).all
    ]
    assert [one.missing for one in found[:2]] == [(2, 3), (3,)]
    assert found[2].values == whole.values and (found[2].refined, found[2].kept) == (10, 20)
    names = [sorted(os.listdir(one.labels_dir)) for one in (whole, found[2])]
    assert names[0] == names[1] and len(names[0]) == 31


def test_crfs_are_compared_in_one_pass(folder, in_this_process):
    truth = Truth(read_split(folder, "val").first(3), 2)
    crfs = [Threshold(0.5), Threshold(0.9)]
    found = refined.compare_crfs(crfs, truth, str(folder / "logits"))
    for crf, matrix in zip(crfs, found, strict=True):
        labels = str(folder / f"labels{crf.level}")
        expected = refined.refine_logits(crf, truth, str(folder / "logits"), labels)[0]
        np.testing.assert_array_equal(matrix, expected)
    assert (found[0] != found[1]).any()


@installed
def test_grid_search(folder):
    more = ("--grid=bilateral_weight=0.001,4", "--grid=gaussian_weight=0.001", "--images=3")
    result = subprocess.run(command(folder, *more), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert not result.stderr  # not even notes of TensorFlow in further processes
    found = json.loads((folder / "out" / "grid.json").read_text())
    assert [one["bilateral_weight"] for one in found["results"]] == [4, 0.001]
    assert found["results"][0]["mean_iou"] > found["results"][1]["mean_iou"]
    assert found["images"] == 3


@installed
@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--crf_option=radius=3", "unknown --crf_option 'radius'"),
        ("--grid=bilateral_xy=wide", "--grid=bilateral_xy=wide must be"),
        ("--logits_dir=/nowhere", "00.npz"),
    ],
)
def test_user_errors_are_one_line(flag, message, folder):
    result = subprocess.run(command(folder, flag), capture_output=True, text=True, timeout=300)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert [message in x for x in result.stderr.splitlines() if x.startswith("error: ")] == [True]
