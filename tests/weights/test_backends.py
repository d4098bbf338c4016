"""Networks and their weights on Keras' other backends, with TensorFlow hidden from imports."""

import importlib.util
import json
import os
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
SCRIPT = """
import json, sys
sys.modules["tensorflow"] = None
import keras, numpy as np, tfseg

folder, (families, (name, classes, options)) = sys.argv[1], json.loads(sys.argv[2])
images, outputs = np.load(f"{folder}/images.npy"), {}

def logits(model):
    return keras.ops.convert_to_numpy(model(images, training=False)["logits"])

for number, (family, settings) in enumerate(families):
    model = tfseg.create_model(family, 3, **settings)
    tfseg.load_weights(model, f"{folder}/{number}.weights.h5")
    outputs[f"{family} {number}"] = first = logits(model)
    model.save(f"{folder}/model.keras")
    again = keras.models.load_model(f"{folder}/model.keras")
    np.testing.assert_array_equal(logits(again), first)

classifier = tfseg.create_classifier(name, classes, **options)
tfseg.load_weights(classifier, f"{folder}/classifier.pth")
outputs["classifier"] = logits(classifier)
try:
    tfseg.load_weights(classifier, f"{folder}/tf1.ckpt.index")
except tfseg.TfsegError as error:
    assert "a checkpoint of TensorFlow needs it" in str(error), error
assert sys.modules["tensorflow"] is None
np.savez(f"{folder}/outputs.npz", **outputs)
"""


@pytest.mark.parametrize("count", [1, pytest.param(len(FAMILIES), marks=pytest.mark.slow)])
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same(backend, count, tmp_path, write_pytorch, assert_close):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    families, expected = FAMILIES[:count], {}
    images = np.random.default_rng(0).standard_normal((1, 32, 40, 3)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    for number, (name, options) in enumerate(families):
        model = tfseg.create_model(name, 3, **options)
        save_weights(model, tmp_path / f"{number}.weights.h5")
        expected[f"{name} {number}"] = np.asarray(model(images)["logits"])
    name, classes, options = CLASSIFIER
    classifier = tfseg.create_classifier(name, classes, **options)
    write_pytorch(tmp_path / "classifier.pth", to_original(classifier))
    expected["classifier"] = np.asarray(classifier(images)["logits"])
    for part in ("tf1.ckpt.index", "tf1.ckpt.data-00000-of-00001"):
        (tmp_path / part).touch()
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), json.dumps([families, CLASSIFIER])],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    outputs = dict(np.load(tmp_path / "outputs.npz"))
    assert set(outputs) == set(expected)
    for key, value in expected.items():
        assert_close(outputs[key], value, 1e-5)
