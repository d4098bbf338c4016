import types

import numpy as np
import pytest
import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.training.losses import SegmentationLoss


def stand_in(loss_resolution="labels", loss_weights=None, classes=3):
    """What the loss needs of a model: maps at the labels' size, or at half and a quarter of it."""

    def shapes(shape):
        names = loss_weights or {"logits": 1.0}
        return {
            name: (shape[0], shape[1] // 2 ** (i + 1), shape[2] // 2 ** (i + 1), classes)
            for i, name in enumerate(names)
        }

    return types.SimpleNamespace(
        loss_weights=loss_weights or {"logits": 1.0},
        loss_resolution=loss_resolution,
        upsampling="bilinear",
        num_classes=classes,
        upsample=lambda logits, size: tf.image.resize(logits, size),
        compute_output_shape=shapes,
        input_shape=(None, None, None, 3),
    )


def cross_entropy(logits, labels):
    """float64 [N, H, W], zero where the label is 255."""
    logits = np.asarray(logits, np.float64)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    index = np.where(labels == 255, 0, labels)[..., None]
    return np.where(labels == 255, 0, -np.take_along_axis(log_probabilities, index, -1)[..., 0])


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 6, 8, 3)).astype(np.float32)
    labels = rng.integers(0, 3, (2, 6, 8)).astype(np.int32)
    labels[0, :4] = 255
    return logits, labels


def value(loss, outputs, labels):
    counts = loss.counts(tf.constant(labels), labels.shape[1:])
    return float(loss(outputs, tf.constant(labels), counts))


def test_mean_over_valid_pixels(batch):
    logits, labels = batch
    expected = cross_entropy(logits, labels).sum() / (labels != 255).sum()
    assert value(SegmentationLoss(stand_in()), {"logits": logits}, labels) == pytest.approx(
        expected
    )


def test_parts_of_a_batch_add_up_to_the_whole(batch):
    logits, labels = batch
    loss = SegmentationLoss(stand_in())
    counts = [loss.counts(tf.constant(labels[i : i + 1]), (6, 8)) for i in range(2)]
    parts = [
        loss({"logits": logits[i : i + 1]}, tf.constant(labels[i : i + 1]), counts[0] + counts[1])
        for i in range(2)
    ]
    assert counts[0] != counts[1]
    assert float(sum(parts)) == pytest.approx(value(loss, {"logits": logits}, labels))


def test_no_valid_pixel_contributes_zero(batch):
    logits, labels = batch
    logits = tf.constant(logits)
    labels = tf.fill(labels.shape, 255)
    loss = SegmentationLoss(stand_in())
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = loss({"logits": logits}, labels, loss.counts(labels, (6, 8)))
    assert float(total) == 0
    assert not np.any(tape.gradient(total, logits))


def test_maps_have_their_own_labels_weights_and_counts():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, (1, 8, 8)).astype(np.int32)
    labels[:, :3] = 255
    maps = {"logits": rng.normal(size=(1, 4, 4, 3)), "aux_logits": rng.normal(size=(1, 2, 2, 3))}
    maps = {name: value.astype(np.float32) for name, value in maps.items()}
    weights = {"logits": 1.0, "aux_logits": 0.4}
    expected = 0
    for name, stride in (("logits", 2), ("aux_logits", 4)):
        small = labels[:, stride // 2 :: stride, stride // 2 :: stride]
        sums = cross_entropy(maps[name], small).sum()
        expected += weights[name] * sums / (small != 255).sum()
    loss = SegmentationLoss(stand_in("logits", weights))
    assert value(loss, maps, labels) == pytest.approx(expected, rel=1e-6)


def test_class_weights_enter_sum_and_normaliser(batch):
    logits, labels = batch
    weights = np.array([0.5, 2.0, 1.0])
    pixel = np.where(labels == 255, 0, weights[np.where(labels == 255, 0, labels)])
    expected = (cross_entropy(logits, labels) * pixel).sum() / pixel.sum()
    loss = SegmentationLoss(stand_in(), class_weights=tuple(weights))
    assert value(loss, {"logits": logits}, labels) == pytest.approx(expected)


def test_wrong_number_of_class_weights():
    with pytest.raises(TfsegError, match="2 numbers for 3 classes"):
        SegmentationLoss(stand_in(), class_weights=(1.0, 2.0))


def test_hard_examples_are_each_images_worst_pixels(batch):
    logits, labels = batch
    total, kept = 0, 0
    for losses, valid in zip(cross_entropy(logits, labels), labels != 255, strict=True):
        count = int(np.ceil(0.3 * valid.sum()))
        total += np.sort(losses[valid])[::-1][:count].sum()
        kept += count
    loss = SegmentationLoss(stand_in(), loss="ohem", ohem_fraction=0.3)
    assert value(loss, {"logits": logits}, labels) == pytest.approx(total / kept)
