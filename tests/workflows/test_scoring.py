"""Evaluations of models: what is kept of each image, and that a judge finds the same in it."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import tfseg
from tfseg.data import read_split
from tfseg.errors import TfsegError
from tfseg.evaluation.records import Records
from tfseg.inference import Predictor
from tfseg.inference.crf import CRF
from tfseg.models import ModelSpec
from tfseg.parts import Part, Unfinished
from tfseg.weights import weights_digest
from tfseg.workflows import compare, judge
from tfseg.workflows.evaluated import part_files
from tfseg.workflows.trained import data_dir_of

CLASSES = ["sky", "road", "car"]
METRICS = ["mean_iou", "mean_boundary_iou", "expected_calibration_error"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for number in range(3):
        image = generator.integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(image).save(folder / f"{number}.png")
        labels = np.kron(generator.integers(0, 3, (3, 4)), np.ones((8, 8))).astype(np.uint8)
        labels[0] = 255
        Image.fromarray(labels).save(folder / f"{number}_label.png")
    for kind, ending in (("images", ""), ("labels", "_label")):
        text = "".join(f"{number}{ending}.png\n" for number in range(3))
        (folder / f"val_{kind}.txt").write_text(text)
    info = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": CLASSES}
    (folder / "info.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="module")
def predictor():
    spec = ModelSpec("drn_d_22", 3, classes=CLASSES)
    return Predictor(spec, spec.build())


def test_a_judge_finds_the_same_in_what_a_model_leaves(data, predictor, tmp_path):
    out = tmp_path / "model"
    found = tfseg.evaluate(
        predictor, str(data), output_dir=str(out), metrics=METRICS, suspects=5, group_by="^."
    )
    (tmp_path / "chances").mkdir()
    for number in range(3):
        chances = predictor.probabilities(str(data / f"{number}.png"))
        np.save(tmp_path / "chances" / f"{number}.npy", chances)
    again = judge(str(tmp_path / "chances"), str(data), metrics=METRICS, jobs=1)
    for name in METRICS:
        assert found.values["scores"][name] == pytest.approx(again.values["scores"][name], rel=1e-5)
    assert "3 groups of 3 images" in found.values["protocol"]["intervals"]
    kept = judge(str(out / "labels"), str(data), jobs=1)
    for name in METRICS[:2]:
        assert kept.values["scores"][name] == found.values["scores"][name]
    assert (kept.records.matrix() == Records.load(out / "images.npz").matrix()).all()
    pages = ("metrics.json", "report.html", "errors.html", "suspects.json")
    assert set(found.written) == {f"{out}/{name}" for name in (*pages, "images.npz", "labels/")}
    assert len(json.loads((out / "suspects.json").read_text())) <= 5
    # The page of a comparison shows the label maps, wherever the folder has gone.
    out.rename(tmp_path / "moved")
    sources = [str(tmp_path / "moved"), str(out.parent / "chances")]
    values = compare(sources, str(data), output_dir=str(tmp_path / "out"))
    assert values["scores"]["mean_iou"]["differences"][0]["value"] == 0
    assert values["changed"][0]["better"] == values["changed"][0]["worse"] == []
    with pytest.raises(TfsegError, match="leaves no probabilities"):
        tfseg.evaluate(predictor, str(data), output_dir=str(out), crf=CRF(), suspects=1)


def test_two_protocols_of_one_model(data, predictor, tmp_path):
    folders = [str(tmp_path / name) for name in ("plain", "mirrored")]
    for folder, flip in zip(folders, (False, True), strict=True):
        one = Predictor(predictor.spec, predictor.model, tfseg.inference.Protocol(flip=flip))
        tfseg.evaluate(one, str(data), output_dir=folder, save_labels=not flip)
    values = compare(folders, output_dir=str(tmp_path / "out"))
    assert values["differs"]["plain"] == ["flip: no", "protocol: single_scale"]
    assert "flip: yes" in values["differs"]["mirrored"]
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "What differs" in page
    changed = [*values["changed"][0]["better"], *values["changed"][0]["worse"]]
    assert changed and 'alt="plain"' in page and 'alt="mirrored"' not in page


def test_scores_of_parts_are_those_of_the_whole(data, predictor, tmp_path):
    def evaluate(name, part=None):
        return tfseg.evaluate(
            predictor, str(data), output_dir=str(tmp_path / name), replicates=20, part=part
        )

    whole, parts = evaluate("whole"), Part(1, 2).all
    assert evaluate("parts", parts[1]) == Unfinished(parts[1], 1, (1,), str(tmp_path / "parts"))
    assert evaluate("parts", parts[0]).values == whole.values
    for name in ("metrics.json", "report.html"):
        one, other = ((tmp_path / kind / name).read_bytes() for kind in ("whole", "parts"))
        assert one == other
    one, other = (Records.load(tmp_path / kind / "images.npz") for kind in ("whole", "parts"))
    assert (one.names, one.facts, one.measures) == (other.names, other.facts, other.measures)
    assert all((one.row(i) == other.row(i)).all() for i in range(3))
    # Labels or weights that have changed make results void.
    files = read_split(str(data), "val")
    kept = part_files(
        str(tmp_path / "parts"), parts[0], files, one, weights_digest(predictor.model)
    )
    assert kept.paths()[1] == ()
    os.utime(data / "1_label.png")
    again = part_files(kept.folder, parts[0], files, one, weights_digest(predictor.model))
    assert again.paths()[1] == (2,)
    assert part_files(kept.folder, parts[0], files, one, "others").paths()[1] == (1, 2)
    with pytest.raises(TfsegError, match="no more than 3 parts"):
        evaluate("parts", Part(1, 4))
    with pytest.raises(TfsegError, match="leave out `part`"):
        tfseg.evaluate(predictor, str(data), output_dir="x", part=parts[0], suspects=1)


def test_predictions_of_parts_are_all(data, predictor, tmp_path):
    images = [str(data / f"{number}.png") for number in range(3)]
    done = [tfseg.predict(predictor, images, str(tmp_path), part=one) for one in Part(1, 2).all]
    assert [one.images for one in done] == [2, 1]
    assert sorted(os.listdir(tmp_path / "labels")) == ["0.png", "1.png", "2.png"]
    assert tfseg.predict(predictor, images, str(tmp_path)).kept == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("runs/first", "; did you mean runs/firsts?"),  # which begins so, and isn't it
        ("drn_d_22_citiscapes", "; did you mean drn_d_22_cityscapes"),
        ("far/away", ""),
    ],
)
def test_weights_that_are_not_there_get_the_nearest(name, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "firsts").mkdir(parents=True)
    for call in (tfseg.load, data_dir_of):
        with pytest.raises(TfsegError, match="no run directory, weights file or release") as error:
            call(name)
        assert f"release {name}{meant}" in str(error.value)
        assert meant or str(error.value).endswith(name)
