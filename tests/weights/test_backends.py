"""Networks and their weights on Keras' other backends, with TensorFlow hidden from imports."""

import importlib.util
import json
import os
import pathlib
import runpy
import subprocess
import sys

import numpy as np
import pytest

import tfseg
from tfseg.weights import save_weights, to_original

FAMILIES = [
    # The first is tried in the default suite.
    ("resnet18_v1+deeplab_v2", {"blocks": [1, 1, 1, 1], "dilated_type": "aggregation"}),
    ("drn_c_26", {"blocks": [1, 1, 1, 1, 1, 0, 0, 1]}),
    ("drn_a_18+upernet", {"blocks": [1, 1, 1, 1]}),
    ("deeplab_v3plus_resnet50", {"blocks": [1, 1, 1, 1], "multi_grid": [1]}),
    ("resnet18_dilated8+ppm_bilinear_deepsup", {"blocks": [1, 1, 1, 1], "dropout": 0.0}),
    ("resnext50_32x4d_v1+fpn", {"blocks": [1, 1, 1, 1]}),
    ("deeplab_v2_resnet50", {"blocks": [1, 1, 1, 1], "multi_scale": [1, 0.5]}),
]
CLASSIFIER = ("resnet18_v1", 4, {"blocks": [1, 1, 1, 1]})

# A backend is chosen before Keras is imported, so each has a process of its own.
SCRIPT = pathlib.Path(__file__).with_name("on_backend.py")
# Compiling for speed takes longer than the little that is computed.
QUICK = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


@pytest.fixture(scope="module")
def here():
    """The functions of `on_backend`, for TensorFlow."""
    return runpy.run_path(str(SCRIPT), run_name="here")


# (families, how many of them are trained: jax compiles a step in float64 for 10 to 40 seconds)
@pytest.mark.parametrize(
    "count, trained",
    [(1, 0), pytest.param(len(FAMILIES), len(FAMILIES), marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same(
    backend, count, trained, here, tmp_path, write_pytorch, assert_close
):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    families, expected = FAMILIES[:count], {}
    random = np.random.default_rng(0)
    images = random.standard_normal((2, 32, 40, 3)).astype(np.float32)
    labels = random.integers(0, 3, images.shape[:3], "int32")
    labels[:, :5] = 255
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", labels)
    for number, (name, options) in enumerate(families):
        model = tfseg.create_model(name, 3, **options)
        save_weights(model, tmp_path / f"{number}.weights.h5")
        expected[f"{name} {number}"] = here["forward"](model, images)
    name, classes, options = CLASSIFIER
    classifier = tfseg.create_classifier(name, classes, **options)
    write_pytorch(tmp_path / "classifier.pth", to_original(classifier))
    expected["classifier"] = here["forward"](classifier, images)
    for part in ("tf1.ckpt.index", "tf1.ckpt.data-00000-of-00001"):
        (tmp_path / part).touch()
    cases = json.dumps([families, CLASSIFIER, trained])
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), cases],
        env=os.environ | QUICK | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    outputs = dict(np.load(tmp_path / "forward.npz"))
    assert set(outputs) == set(expected)
    for key, value in expected.items():
        assert_close(outputs[key], value, 1e-5)
    for number, (name, options) in enumerate(families[:trained]):
        actual = dict(np.load(tmp_path / f"train-{number}.npz"))
        weights = tmp_path / f"{number}.weights.h5"
        step = here["train"](name, options, weights, images, labels)
        assert set(actual) == set(step)
        for key, value in step.items():
            # Rounding of 1e-16 reaches at most 2e-11 of the largest change, in pooling pyramids.
            assert value.any(), key
            error = np.abs(actual[key] - value).max() / np.abs(value).max()
            assert error < 1e-9, f"{name}: {key} differs by {error:.1e} of its largest change"
