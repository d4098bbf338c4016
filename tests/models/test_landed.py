"""Files of version 0.1.0 load: what users have saved stays readable."""

import json
import pathlib
import shutil
import zlib

import keras
import numpy as np
import pytest

import tfseg
from tfseg import encoders, models
from tfseg.models import ModelSpec
from tfseg.weights import find_spec

LANDED = pathlib.Path(__file__).parents[1] / "golden" / "landed"
TINY = {"blocks": [1, 1, 0, 0, 0, 0, 0, 0]}


@pytest.fixture(scope="module")
def outputs():
    return dict(np.load(LANDED / "outputs.npz"))


def _assert_gives(model, outputs, name):
    np.testing.assert_allclose(model(outputs["images"])["logits"], outputs[name], atol=1e-5)


@pytest.mark.parametrize("name", ["segmenter", "classifier"])
def test_keras_and_weight_files(name, outputs):
    whole = keras.models.load_model(LANDED / f"{name}.keras")
    _assert_gives(whole, outputs, f"{name}.keras")
    if name == "segmenter":
        model = tfseg.create_model("drn_d_22+c1_bilinear_deepsup", 3, **TINY)
    else:
        model = tfseg.create_classifier("drn_d_22", 4, **TINY)
    for suffix in ("keras", "weights.h5"):
        for variable in model.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        tfseg.load_weights(model, LANDED / f"{name}.{suffix}")
        _assert_gives(model, outputs, f"{name}.keras")


def test_a_weight_file_says_what_it_fits(outputs):
    spec = find_spec(LANDED / "segmenter.weights.h5")
    assert spec.name == "drn_d_22+c1_bilinear_deepsup" and spec.options == {"dropout": 0.1, **TINY}
    assert spec.preprocessing.channel_order == "BGR" and spec.preprocessing.mean[0] == 104
    model = spec.build()
    report = tfseg.load_weights(model, LANDED / "segmenter.weights.h5")
    assert report.preprocessing == spec.preprocessing
    _assert_gives(model, outputs, "segmenter.keras")


def test_run_directory(outputs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(LANDED / "run", run)
    spec = ModelSpec.load(run / "model.json")
    assert spec.classes[0] == "sky" and find_spec(run) == spec
    for source, name in ((run, "run"), (run / "checkpoints" / "step-2", "checkpoint")):
        model = spec.build()
        report = tfseg.load_weights(model, source)
        assert report.preprocessing == spec.preprocessing
        _assert_gives(model, outputs, name)


ROWS = json.loads((LANDED / "configs.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["config"].get("model", row["class"]))
def test_configs_rebuild_the_same_variables(row):
    home = encoders if hasattr(encoders, row["class"]) else models
    model = getattr(home, row["class"]).from_config(row["config"])
    lines = sorted(f"{v.path} {list(v.shape)}" for v in model.variables)
    assert len(lines) == row["variables"]
    assert zlib.crc32("\n".join(lines).encode()) == row["crc32"]
