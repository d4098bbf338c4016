"""Predictions on jax and torch, with TensorFlow hidden from imports, beside TensorFlow's own."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import tfseg
from tfseg.inference import Predictor, Protocol
from tfseg.models import ModelSpec
from tfseg.weights import save_weights

BLOCKS = {"blocks": [1, 1, 1, 1]}
# One of each upsampling.
MODELS = {
    "zero_border": ModelSpec("drn_d_22", 4, options={"blocks": [1, 1, 1, 1, 0, 0, 0, 0]}),
    "bilinear": ModelSpec("resnet18_v1+c1_bilinear", 4, options=BLOCKS),
    "legacy": ModelSpec("deeplab_v2_resnet50", 4, options={**BLOCKS, "sampling": "legacy"}),
}
PROTOCOLS = {
    "plain": Protocol(),
    "scales": Protocol(scales=(1.0, 0.5), flip=True),
    "one_scale": Protocol(scales=(0.75,)),
    "maximum": Protocol(scales=(1.0, 0.75), average="maximum", size_divisor=8),
    "short_sides": Protocol(
        short_sides=(24, 40),
        max_long_side=50,
        average="log_probabilities",
        image_resizing="bicubic",
    ),
}
REFUSED = ["tile_size=512", "padded_scores=True", "image_resizing='pillow_bicubic'"]

SCRIPT = f"""
import sys
sys.modules["tensorflow"] = None
import keras, numpy as np, tfseg
from tfseg.inference import Predictor, Protocol
from tfseg.models import ModelSpec

folder, labels = sys.argv[1], {{}}
protocols = {PROTOCOLS!r}
for name in sys.argv[3:]:
    loaded = tfseg.load(f"{{folder}}/{{name}}.weights.h5", ModelSpec.load(f"{{folder}}/{{name}}"))
    for protocol in sys.argv[2].split(","):
        predictor = Predictor(loaded.spec, loaded.model, protocols[protocol])
        for file in ("a.jpg", "b.png"):
            labels[f"{{name}} {{protocol}} {{file}}"] = predictor.predict(f"{{folder}}/{{file}}")
    scores = loaded.probabilities(f"{{folder}}/b.png")
    assert np.array_equal(scores.argmax(-1), loaded.predict(f"{{folder}}/b.png"))
    assert loaded.logits(f"{{folder}}/b.png").shape[-1] == 4
    assert len(loaded.predict_batch([f"{{folder}}/a.jpg"] * 3, 2)) == 3
for refused in {REFUSED!r}:
    try:
        Predictor(loaded.spec, loaded.model, eval(f"Protocol({{refused}})"))
        raise AssertionError(refused)
    except tfseg.TfsegError as error:
        assert "needs the TensorFlow backend, not " + keras.backend.backend() in str(error)
assert sys.modules["tensorflow"] is None
np.savez(f"{{folder}}/labels.npz", **labels)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize(
    "names, protocols",
    [
        (["zero_border"], ["scales"]),
        pytest.param(list(MODELS), list(PROTOCOLS), marks=pytest.mark.slow),
    ],
)
def test_labels_are_tensorflows(backend, names, protocols, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    random = np.random.default_rng(0)
    for file, size in (("a.jpg", (45, 64)), ("b.png", (45, 64))):
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), np.uint8))
        coarse.resize(size[::-1], Image.Resampling.BICUBIC).save(tmp_path / file)
    for name in names:
        MODELS[name].save(tmp_path / name)
        model = MODELS[name].build()
        # Random weights alone often prefer one class everywhere.
        scores = Predictor(MODELS[name], model).logits(tmp_path / "b.png")
        bias = [v for v in model.trainable_variables if v.shape == (4,)][-1]
        bias.assign(bias - scores.mean((0, 1)))
        save_weights(model, tmp_path / f"{name}.weights.h5")
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), ",".join(protocols), *names],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    found = dict(np.load(tmp_path / "labels.npz"))
    assert len(found) == len(names) * len(protocols) * 2
    for name in names:
        spec = MODELS[name]
        model = tfseg.load(tmp_path / f"{name}.weights.h5", spec).model
        for protocol in protocols:
            predictor = Predictor(spec, model, PROTOCOLS[protocol])
            for file in ("a.jpg", "b.png"):
                expected, key = predictor.predict(tmp_path / file), f"{name} {protocol} {file}"
                assert np.unique(expected).size > 1, key
                assert np.mean(found[key] == expected) >= 0.9999, key


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.sampled_from([Protocol(scales=(0.3, 0.75, 1.0, 1.75)), Protocol(short_sides=(300, 525))]),
    st.sampled_from([1, 8, 32]),
)
def test_sizes_of_ints_are_those_of_tensors(size, protocol, divisor):
    sides = {"scales": protocol.scales, "short_sides": protocol.short_sides}
    protocol = Protocol(**sides, size_divisor=divisor)
    expected = [tuple(one.numpy()) for one in protocol.sizes(tf.constant(size))]
    assert protocol.sizes_of(size) == expected
