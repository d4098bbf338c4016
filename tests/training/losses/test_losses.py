"""Every loss: against a statement of its own in NumPy, its gradient, and parts on replicas."""

import types

import numpy as np
import pytest
import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.training import SegmentationLoss
from tfseg.training.losses import LOSSES, parse_loss

CLASSES, SIZE = 4, (6, 5)
OPTIONS = {
    "cross_entropy": {"label_smoothing": 0.2},
    "focal": {"focal_gamma": 1.5},
    "ohem": {"ohem_fraction": 0.4},
    "boundary": {"boundary_weight": 3.0, "boundary_width": 1},
    "distillation": {"temperature": 2.0},
    "tversky": {"tversky_alpha": 0.3, "tversky_beta": 0.7},
    "tversky_per_image": {"tversky_alpha": 0.3, "tversky_beta": 0.7},
}
WEIGHTS = (1.0, 0.5, 2.0, 1.5)
TEACHER = np.random.default_rng(9).normal(size=(4, *SIZE, CLASSES))


def maps():
    """What the loss needs of a model whose outputs have the labels' size."""
    return types.SimpleNamespace(
        loss_weights={"logits": 1.0},
        loss_resolution="labels",
        num_classes=CLASSES,
        upsample=lambda logits, size: logits,
    )


@pytest.fixture
def batch():
    """float64 logits and labels of 4 images: one without valid pixels, one with few, none with all
    classes, and class 3 in one image alone."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(4, *SIZE, CLASSES))
    labels = rng.integers(0, 3, (4, *SIZE)).astype(np.int32)
    labels[2, :2] = 3
    labels[0] = labels[1, :5] = 255
    labels[3, 2] = 255
    return logits, labels


def probabilities(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def near_another_class(labels, width):
    near = np.zeros(labels.shape, bool)
    for n, y, x in np.argwhere(labels != 255):
        box = labels[n, max(y - width, 0) : y + width + 1, max(x - width, 0) : x + width + 1]
        near[n, y, x] = len(set(box[box != 255])) > 1
    return near


def pixel_loss(name, logits, labels, weights):
    total = count = 0.0
    p = probabilities(logits)
    near = near_another_class(labels, 1)
    for n, y, x in np.argwhere(labels != 255):
        own, weight = labels[n, y, x], weights[labels[n, y, x]]
        loss = -np.log(p[n, y, x, own])
        if name == "distillation":
            taught, own = (probabilities(maps[n, y, x] / 2) for maps in (TEACHER, logits))
            total += 4 * (taught * np.log(taught / own)).sum()
        elif name == "cross_entropy":
            spread = -(np.log(p[n, y, x]) * weights).mean()
            total += 0.8 * weight * loss + 0.2 * spread
        elif name == "generalized":
            total += weight * (1 - p[n, y, x, own] ** 0.7) / 0.7
        elif name == "focal":
            total += weight * (1 - p[n, y, x, own]) ** 1.5 * loss
        else:
            weight *= 4.0 if near[n, y, x] else 1.0
            total += weight * loss
        count += weight
    return total / count


def hard_examples(logits, labels):
    total = count = 0
    for p, label in zip(probabilities(logits), labels, strict=True):
        valid = label != 255
        losses = np.sort(-np.log(p[valid][np.arange(valid.sum()), label[valid]]))[::-1]
        kept = int(np.ceil(0.4 * valid.sum()))
        total, count = total + losses[:kept].sum(), count + kept
    return total / count


def tversky(p, labels, weights, alpha, beta):
    """Of valid pixels p [P, C] and labels [P]."""
    losses, factors = [], []
    for c in np.unique(labels):
        hit = p[labels == c, c].sum()
        false, missing = p[labels != c, c].sum(), (1 - p[labels == c, c]).sum()
        losses.append(1 - hit / (hit + alpha * false + beta * missing))
        factors.append(weights[c])
    return np.average(losses, weights=factors)


def lovasz(p, labels, weights):
    """By the definition of the Lovász extension: a set grows pixel by pixel, worst first."""
    losses, factors = [], []
    for c in np.unique(labels):
        truth = labels == c
        errors = np.abs(truth - p[:, c])
        wrong, before, loss = np.zeros(len(p), bool), 0.0, 0.0
        for pixel in np.argsort(-errors):
            wrong[pixel] = True
            predicted = truth ^ wrong
            now = 1 - (truth & predicted).sum() / (truth | predicted).sum()
            loss += errors[pixel] * (now - before)
            before = now
        losses.append(loss)
        factors.append(weights[c])
    return np.average(losses, weights=factors)


def stated(name, logits, labels, weights):
    if name == "ohem":
        return hard_examples(logits, labels)
    if name in ("cross_entropy", "focal", "generalized", "boundary", "distillation"):
        return pixel_loss(name, logits, labels, np.array(weights))
    p, valid = probabilities(logits), labels != 255
    kind, _, per_image = name.partition("_")
    factors = {"dice": (0.5, 0.5), "jaccard": (1, 1), "tversky": (0.3, 0.7)}.get(kind)
    if factors and not per_image:
        return tversky(p[valid], labels[valid], weights, *factors)
    each = [
        tversky(q[v], label[v], weights, *factors) if factors else lovasz(q[v], label[v], weights)
        for q, label, v in zip(p, labels, valid, strict=True)
        if v.any()
    ]
    return np.mean(each)


def create(name):
    weights = WEIGHTS if LOSSES[name].takes_class_weights else ()
    loss = SegmentationLoss(maps(), 255, weights, name, maps(), **OPTIONS.get(name, {}))
    return loss, weights


def outputs(logits, first=0):
    """What the network and its teacher say of the images from `first` on."""
    return {"logits": logits, "teacher_logits": TEACHER[first : first + len(logits)]}


def value_and_gradient(loss, logits, labels):
    logits, labels = tf.constant(logits), tf.constant(labels)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(outputs(logits), labels, loss.counts(labels, SIZE))
    return value.numpy(), tape.gradient(value, logits).numpy()


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient(name, batch):
    logits, labels = batch
    loss, weights = create(name)
    value, gradient = value_and_gradient(loss, logits, labels)
    expected = stated(name, logits, labels, weights or (1,) * CLASSES)
    assert value == pytest.approx(expected, rel=1e-6)
    assert not gradient[labels == 255].any()
    rng = np.random.default_rng(1)
    for _ in range(3):
        direction = rng.normal(size=logits.shape)
        ends = [
            value_and_gradient(loss, logits + step * direction, labels)[0] for step in (-1e-6, 1e-6)
        ]
        slope = (ends[1] - ends[0]) / 2e-6
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_parts_on_replicas_are_the_whole(name, batch, two_replicas):
    """The first replica has nearly no valid pixels, and the second a class of its own."""
    logits, labels = batch
    loss, _ = create(name)
    value, gradient = value_and_gradient(loss, logits, labels)

    def part(context):
        i = 2 * context.replica_id_in_sync_group
        return [tf.constant(values[i : i + 2]) for values in (logits, labels, TEACHER)]

    @tf.function
    def on_replica(logits, labels, taught):
        context = tf.distribute.get_replica_context()
        counts = context.all_reduce(tf.distribute.ReduceOp.SUM, loss.counts(labels, SIZE))
        with tf.GradientTape() as tape:
            tape.watch(logits)
            own = loss({"logits": logits, "teacher_logits": taught}, labels, counts)
        return own, tape.gradient(own, logits)

    parts = two_replicas.experimental_distribute_values_from_function(part)
    results = two_replicas.run(on_replica, parts)
    values, gradients = map(two_replicas.experimental_local_results, results)
    assert sum(float(value) for value in values) == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(np.concatenate(gradients), gradient, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", [n for n, row in LOSSES.items() if row.needs == "labels"])
def test_micro_batches_add_up(name, batch):
    logits, labels = batch
    loss, _ = create(name)
    parts = [(logits[i : i + 1], tf.constant(labels[i : i + 1])) for i in range(4)]
    counts = sum(loss.counts(part, SIZE) for _, part in parts)
    values = [loss(outputs(own, first), part, counts) for first, (own, part) in enumerate(parts)]
    value, _ = value_and_gradient(loss, logits, labels)
    assert float(sum(values)) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_valid_is_zero(name, batch):
    logits, labels = batch
    value, gradient = value_and_gradient(create(name)[0], logits, np.full_like(labels, 255))
    assert value == 0 and not gradient.any()


def test_sums_of_losses(batch):
    logits, labels = batch
    both = SegmentationLoss(
        maps(), loss="dice:2,cross_entropy:0.5", teacher=maps(), label_smoothing=0.2
    )
    one, other = (
        SegmentationLoss(maps(), loss=name, teacher=maps(), **OPTIONS.get(name, {}))
        for name in ("dice", "cross_entropy")
    )
    expected = [value_and_gradient(loss, logits, labels) for loss in (one, other)]
    value, gradient = value_and_gradient(both, logits, labels)
    assert value == pytest.approx(2 * expected[0][0] + 0.5 * expected[1][0], rel=1e-6)
    np.testing.assert_allclose(gradient, 2 * expected[0][1] + 0.5 * expected[1][1], atol=1e-9)


def test_text_of_a_sum():
    expected = ((LOSSES["cross_entropy"], 1.0), (LOSSES["lovasz"], 0.5))
    assert parse_loss("cross_entropy, lovasz:0.5") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lovas", "unknown loss 'lovas'; did you mean lovasz"),
        ("dice:x", "the loss dice takes a number, not 'x'"),
        ("dice:0", "the factor of dice must be above 0"),
        ("dice:inf", "the loss dice takes a number"),
        ("dice:", "the loss dice takes a number, not ''"),
        ("dice:1,dice:2", "the loss dice comes twice"),
        ("", "unknown loss ''"),
    ],
)
def test_wrong_text(text, message):
    with pytest.raises(TfsegError, match=message) as error:
        parse_loss(text)
    assert "\n" not in str(error.value)
