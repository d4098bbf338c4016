"""Updates are the same however samples fall on replicas and micro-batches.

In float64, where a difference would be a mistake: in float32 a random network multiplies rounding
errors by some hundred in every update.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.data.pipelines.distribute import DistributedPipeline
from tfseg.data.pipelines.loading import finish
from tfseg.training import SGD, AdamW, SegmentationLoss, WeightAverage, create_strategy
from tfseg.training.groups import assign_groups, find_table
from tfseg.training.step import METRICS, TrainStep

TINY = {
    "drn_d_22": {"blocks": [1, 1, 0, 0, 0, 0, 0, 0]},
    "drn_d_22+c1_bilinear_deepsup": {"blocks": [1, 1, 1, 0, 0, 0, 0, 0]},
}
STEPS, BATCH = 3, 4


def samples():
    """Images [STEPS, BATCH, H, W, 3] and labels; the first, which fall on one replica, have few
    valid pixels or none."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(STEPS, BATCH, 40, 32, 3))
    labels = rng.integers(0, 3, (STEPS, BATCH, 40, 32)).astype(np.int32)
    labels[:, 0], labels[:, 1, :30] = 255, 255
    return images, labels


def training(
    name,
    replicas=1,
    micro_batches=1,
    loss=None,
    average="batch",
    optimizer=SGD,
    data=None,
    **options,
):
    """`update(i)`, which gives its metrics, and `values()` of variables, averages and slots."""
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(0)
    strategy = create_strategy("mirrored" if replicas > 1 else "one_device", replicas)
    with strategy.scope():
        model = tfseg.create_model(name, 3, **TINY[name], **options)
        trained = {v.path: v.value for v in model.trainable_variables}
        every = {v.path: v.value for v in model.variables}
        groups = assign_groups(trained, find_table("conv_kernels"))
        optimizer = optimizer(trained, groups, weight_decay=1e-2)
        weights = WeightAverage(every, 0.9)
        weights.reset()
    images, labels = data or samples()
    share = BATCH // replicas // micro_batches
    samples_of_replicas = tf.data.Dataset.from_tensor_slices(
        (images.reshape(-1, share, 40, 32, 3), labels.reshape(-1, share, 40, 32))
    )
    data = DistributedPipeline(strategy, lambda _: finish(samples_of_replicas.repeat()))
    step = TrainStep(
        model,
        SegmentationLoss(model, **(loss or {})),
        optimizer,
        strategy,
        data.element_spec,
        accumulation_steps=micro_batches,
        average=average,
        clip_norm=30.0,
        weight_average=weights,
    )
    elements = iter(data)

    def update(i):
        batches = tuple(next(elements) for _ in range(micro_batches))
        return step(batches, 0.02 / (i + 1), 0.5).numpy()

    def values():
        averages = {f"average/{path}": v for path, v in weights.averages.items()}
        slots = {v.name + str(i): v for i, v in enumerate(optimizer.variables)}
        return {path: v.numpy() for path, v in {**every, **averages, **slots}.items()}

    return update, values


def updates(name, **settings):
    """Metrics of each update, and the values after the last."""
    update, values = training(name, **settings)
    return [update(i) for i in range(STEPS)], values()


def assert_same(one, other):
    np.testing.assert_allclose(one[0], other[0], rtol=1e-6)
    for path, value in one[1].items():
        np.testing.assert_allclose(value, other[1][path], rtol=0, atol=1e-9, err_msg=path)


def test_replicas_with_synchronised_batch_norm():
    assert_same(updates("drn_d_22", replicas=2), updates("drn_d_22"))


@pytest.mark.parametrize(
    ("loss", "parts"),
    [
        ({"loss": "ohem", "ohem_fraction": 0.4}, {"replicas": 2, "micro_batches": 2}),
        ({"class_weights": (1.0, 0.25, 3.0)}, {"micro_batches": 4}),
    ],
)
def test_replicas_and_micro_batches_with_frozen_batch_norm(loss, parts):
    settings = {"loss": loss, "freeze_batch_norm": "statistics"}
    assert_same(updates("drn_d_22", **parts, **settings), updates("drn_d_22", **settings))


@pytest.mark.parametrize(("optimizer", "replicas"), [(SGD, 2), (AdamW, 1)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nothing_changes_where_the_gradient_is_not_finite(optimizer, replicas, bad):
    images, labels = samples()
    images[1, -1, 0, 0, 0] = bad
    settings = {"optimizer": optimizer, "freeze_batch_norm": "statistics"}
    update, values = training("drn_d_22", replicas, data=(images, labels), **settings)
    finite = METRICS.index("finite")
    assert update(0)[finite] == 1
    before = values()
    assert update(1)[finite] == 0
    np.testing.assert_equal(values(), before)
    assert update(2)[finite] == 1
    assert any(np.any(values()[path] != value) for path, value in before.items())


def test_labels_resized_to_the_logits():
    """Replicas agree on each map's own count of valid cells, and on the regions of the batch."""
    name = "drn_d_22+c1_bilinear_deepsup"
    loss = {"loss": "cross_entropy:1,dice:0.5,lovasz:0.5"}
    settings = {"freeze_batch_norm": "statistics", "loss": loss, "optimizer": AdamW}
    assert_same(updates(name, replicas=2, **settings), updates(name, **settings))


def test_mean_of_each_micro_batch():
    """The loss is the mean over micro-batches of means over their own valid pixels."""
    settings = {"micro_batches": 2, "freeze_batch_norm": "statistics", "average": "micro_batch"}
    whole = updates("drn_d_22", **settings)
    assert_same(updates("drn_d_22", replicas=2, **settings), whole)
    together = updates("drn_d_22", micro_batches=2, freeze_batch_norm="statistics")
    assert abs(whole[0][0][0] - together[0][0][0]) > 1e-3


def test_mean_of_each_replica():
    """The loss is the mean over replicas and micro-batches of what each of them averages itself."""
    settings = {"freeze_batch_norm": "statistics", "average": "replica"}
    two = updates("drn_d_22", replicas=2, **settings)
    keras.utils.set_random_seed(0)
    model = tfseg.create_model("drn_d_22", 3, **TINY["drn_d_22"], freeze_batch_norm="statistics")
    images, labels = (values[0] for values in samples())
    logits = model.upsample(model(images)["logits"], labels.shape[1:]).numpy()
    logits -= logits.max(-1, keepdims=True)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probs, np.minimum(labels, 2)[..., None], -1)[..., 0]
    means = [losses[part][labels[part] != 255].mean() for part in (slice(0, 2), slice(2, 4))]
    np.testing.assert_allclose(two[0][0][0], np.mean(means), rtol=1e-6)
    # What one device does with as many micro-batches; with several on each, all count alike.
    counterpart = {**settings, "average": "micro_batch"}
    assert_same(two, updates("drn_d_22", micro_batches=2, **counterpart))
    four = updates("drn_d_22", replicas=2, micro_batches=2, **settings)
    assert_same(four, updates("drn_d_22", micro_batches=4, **counterpart))
