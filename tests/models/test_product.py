"""Every encoder with every decoder builds, takes a training step and saves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.training import SegmentationLoss

# One encoder of each kind: with and without the residual connections of a DRN's last stages,
# basic blocks and bottlenecks, each stem, dilated and not.
SOME = ("drn_a_18", "drn_d_22", "resnet18", "resnet18_dilated8", "resnet50_v1", "resnet50_caffe")
PAIRS = [(encoder, decoder) for encoder in ENCODERS for decoder in DECODERS]
SMOOTHED = [
    ("resnet50_dilated8+linear", "average_filter"),
    pytest.param("resnet50_dilated8+upernet", "average_filter", marks=pytest.mark.slow),
    pytest.param("drn_d_22+upernet", "gaussian_filter", marks=pytest.mark.slow),
    ("resnet18_dilated16+ppm_bilinear_deepsup", "smooth_SSC"),
]


def some_of_each(pair):
    """Each decoder with one encoder of `SOME`, each of which has a sixth of the decoders."""
    encoder, decoder = pair
    turn = SOME.index(encoder) + list(DECODERS).index(decoder) if encoder in SOME else 1
    return turn % len(SOME) == 0


def check(name, tmp_path, **options):
    published = ENCODERS[name.partition("+")[0]].blocks
    blocks = {"blocks": [1] * len(published)} if published else {}
    model = tfseg.create_model(name, 3, **blocks, **options)
    images = np.random.default_rng(0).normal(size=(2, 32, 40, 3)).astype(np.float32)
    labels = tf.constant(np.random.default_rng(1).integers(0, 3, (2, 32, 40)), tf.int32)
    loss = SegmentationLoss(model)
    variables = [variable.value for variable in model.trainable_variables]
    before = [variable.numpy() for variable in variables]
    with tf.GradientTape() as tape:
        value = loss(model(images, training=True), labels, loss.counts(labels, (32, 40)))
    gradients = tape.gradient(value, variables)
    assert np.isfinite(value)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert np.isfinite(tf.reduce_sum(gradient)), variable.name
        variable.assign_sub(1e-3 * gradient)
    assert any(np.any(old != new.numpy()) for old, new in zip(before, variables, strict=True))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    (tmp_path / "model.keras").unlink()
    np.testing.assert_array_equal(again(images)["logits"], model(images)["logits"])


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [pytest.param(*pair, marks=() if some_of_each(pair) else pytest.mark.slow) for pair in PAIRS],
)
def test_every_pair_trains_and_saves(encoder, decoder, tmp_path):
    check(f"{encoder}+{decoder}", tmp_path)


@pytest.mark.parametrize(("name", "dilated_type"), SMOOTHED)
def test_smoothed_encoders_train_and_save(name, dilated_type, tmp_path):
    check(name, tmp_path, dilated_type=dilated_type)
