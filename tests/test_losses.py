"""Keras' own `compile` and `fit` with label maps at the images' size."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.data.resizing import resize_labels as of_pipelines
from tfseg.layers import resize_labels
from tfseg.training import SegmentationLoss

NAME, OPTIONS = "resnet18_dilated8+c1_bilinear_deepsup", {"blocks": [1] * 4, "dropout": 0.0}
WEIGHTS = [1.0, 2.0, 0.5]
# Compiling for speed takes longer than the little that is computed.
QUICK = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}

SCRIPT = """
import sys
sys.modules["tensorflow"] = None
import json, keras, numpy as np, tfseg
keras.utils.set_random_seed(0)
data = np.load(sys.argv[1])
model = tfseg.create_model(sys.argv[2], 3, **json.loads(sys.argv[3]))
loss = tfseg.losses.SegmentationLoss()
model.compile("sgd", loss=loss, metrics=[tfseg.metrics.MeanIoU(3)])
history = model.fit(data["x"], data["y"], batch_size=2, epochs=2, verbose=0).history
assert np.isfinite(history["loss"]).all() and 0 <= history["mean_iou"][-1] <= 1
"""


def data():
    generator = np.random.default_rng(0)
    images = generator.standard_normal((2, 24, 33, 3)).astype(np.float32)
    labels = generator.integers(0, 3, (2, 24, 33)).astype(np.uint8)
    labels[:, :9] = 255
    return images, labels


@pytest.mark.parametrize("size", [(3, 5), (24, 33), (40, 41)])
@pytest.mark.parametrize("legacy", [False, True])
def test_labels_are_resized_as_in_pipelines(size, legacy):
    labels = data()[1]
    found, expected = resize_labels(labels, size, legacy), of_pipelines(labels, size, legacy)
    np.testing.assert_array_equal(found, expected)


# Metrics in a list, and one for the logits as Keras' dicts take it.
@pytest.mark.parametrize(
    ("name", "metrics"),
    [(NAME, lambda one: [one]), ("drn_a_18", lambda one: {"logits": one})],
    ids=[NAME, "drn_a_18"],
)
def test_loss_is_that_of_the_trainer(name, metrics, tmp_path):
    images, labels = data()
    options = OPTIONS if name == NAME else {"blocks": [1] * 4}
    model = tfseg.create_model(name, 3, **options)
    loss = tfseg.losses.SegmentationLoss(class_weights=WEIGHTS, label_smoothing=0.1)
    assert type(loss).from_config(loss.get_config()).get_config() == loss.get_config()
    model.compile("sgd", loss=loss, metrics=metrics(tfseg.metrics.MeanIoU(3)))
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    own = SegmentationLoss(model, class_weights=WEIGHTS, label_smoothing=0.1)
    truth = tf.constant(labels, tf.int32)
    expected = own(model(images), truth, own.counts(truth, labels.shape[1:]))
    assert found["loss"] == pytest.approx(float(expected), rel=1e-5)
    classes = np.argmax(model.upsample(model(images)["logits"], labels.shape[1:]), -1)
    metric = tfseg.metrics.MeanIoU(3)
    metric.update_state(labels, classes)
    assert found["mean_iou"] == pytest.approx(float(metric.result()), rel=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(images, labels, verbose=0, return_dict=True) == pytest.approx(found)


def test_nothing_to_count_and_what_is_refused():
    images, labels = data()
    loss = tfseg.losses.SegmentationLoss()
    assert float(loss(np.full_like(labels, 255), np.ones((*labels.shape, 3), np.float32))) == 0
    with pytest.raises(tfseg.TfsegError, match="takes no sample_weight"):
        loss(labels, images, np.ones(2))
    with pytest.raises(tfseg.TfsegError, match="2 numbers for 3 classes"):
        tfseg.losses.SegmentationLoss(class_weights=[1, 2])(labels, images)
    for weight in (-1.0, float("nan"), float("inf"), True):
        with pytest.raises(tfseg.TfsegError, match="`class_weights` must be numbers from 0"):
            tfseg.losses.SegmentationLoss(class_weights=[1.0, weight, 1.0])
    for weights in (5, "abc", (0, 0, 0)):
        with pytest.raises(tfseg.TfsegError, match="`class_weights` must be numbers from 0"):
            tfseg.losses.SegmentationLoss(class_weights=weights)
    assert tfseg.losses.SegmentationLoss(class_weights=np.ones(3)).class_weights == [1, 1, 1]
    for smoothing in (1, -0.1, float("nan"), "0.1"):
        with pytest.raises(tfseg.TfsegError, match="`label_smoothing` must be"):
            tfseg.losses.SegmentationLoss(label_smoothing=smoothing)
    with pytest.raises(tfseg.TfsegError, match="`ignore_label` must be a whole number, not None"):
        tfseg.losses.SegmentationLoss(ignore_label=None)


def test_fit_on_jax(tmp_path):
    pytest.importorskip("jax")
    images, labels = data()
    np.savez(tmp_path / "data.npz", x=images, y=labels)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "data.npz", NAME, json.dumps(OPTIONS)],
        env=os.environ | QUICK | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr[-3000:]
