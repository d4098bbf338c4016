"""Short trainings from the reference weights follow the reference runs (tests/golden).

They pin the loss and its normalisation, weight decay, learning-rate groups and batch norm's
running averages.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.training import SGD, SegmentationLoss
from tfseg.training.groups import assign_groups, find_table
from tfseg.training.step import TrainStep


def _train(model, batches, rates, groups, weight_decay, **options):
    """The loss before each update."""
    strategy = tf.distribute.get_strategy()
    variables = {variable.path: variable.value for variable in model.trainable_variables}
    rows = assign_groups(variables, find_table(groups))
    optimizer = SGD(variables, rows, momentum=0.9, weight_decay=weight_decay)
    images, labels = batches[0][0]
    spec = (tf.TensorSpec(images.shape), tf.TensorSpec(labels.shape, tf.int32))
    step = TrainStep(model, SegmentationLoss(model), optimizer, strategy, spec, **options)
    return [
        float(step(tuple(micro_batches), rate)[0])
        for micro_batches, rate in zip(batches, rates, strict=True)
    ]


def _nchw(maps):
    return np.asarray(maps).transpose(0, 3, 1, 2)


def test_drn(golden, original_weights, reference_image, reference_labels, assert_close):
    model = tfseg.create_model("drn_d_22", 19, batch_norm_momentum=0.9)
    tfseg.load_weights(model, original_weights(model, "DRN segmenter"))
    batches = [
        [(reference_image(100 + i, (2, 3, 64, 64)), reference_labels(200 + i, (2, 64, 64), 19))]
        for i in range(5)
    ]
    losses = _train(model, batches, [0.01] * 5, "all", 1e-4)
    expected = golden("train_seg_drn_d_22")
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-3)
    logits = model(reference_image(3, (2, 3, 64, 64)))["logits"]
    assert_close(_nchw(logits), expected["logits_after"], 1e-2)


@pytest.mark.slow
def test_deeplab_at_three_scales(
    golden, original_weights, reference_image, reference_labels, assert_close
):
    model = tfseg.create_model(
        "deeplab_v2_resnet50", 21, multi_scale=(1, 0.75, 0.5), freeze_batch_norm="all"
    )
    tfseg.load_weights(model, original_weights(model, "DeepLab v1/v2 MSC"))
    samples = [
        (reference_image(100 + i, (1, 3, 97, 97)), reference_labels(200 + i, (1, 97, 97), 21))
        for i in range(6)
    ]
    batches = [samples[i : i + 2] for i in range(0, 6, 2)]
    options = {"accumulation_steps": 2, "average": "micro_batch"}
    losses = _train(model, batches, [2.5e-4] * 3, "deeplab", 5e-4, **options)
    expected = golden("train_deeplab_v2_resnet50_msc")
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-5)
    logits = model(reference_image(3, (1, 3, 97, 97)))["logits_1"]
    assert_close(_nchw(logits), expected["logits_after"], 1e-3)


def test_ade20k(golden, original_weights, reference_image, reference_labels, assert_close):
    """In float64: this run is chaotic, and float32's rounding decides the fourth loss."""
    keras.config.set_dtype_policy("float64")
    model = tfseg.create_model(
        "resnet18_dilated8+c1_bilinear_deepsup", 150, batch_norm_momentum=0.999
    )
    tfseg.load_weights(model, original_weights(model, "ADE20K C1"))
    variables = {variable.path: variable.value for variable in model.trainable_variables}
    rows = assign_groups(variables, find_table("conv_kernels"))
    optimizer = SGD(variables, rows, momentum=0.9, weight_decay=1e-4)
    loss = SegmentationLoss(model)
    losses = []
    for i in range(4):
        labels = reference_labels(200 + i, (2, 8, 8), 150)
        # The loss samples labels at the centre of each cell of its 8x8 maps.
        labels = tf.constant(labels.repeat(8, axis=1).repeat(8, axis=2))
        images = tf.constant(reference_image(100 + i, (2, 3, 64, 64)), tf.float64)
        counts = loss.counts(labels, (64, 64))
        with tf.GradientTape() as tape:
            losses.append(loss(model(images, training=True), labels, counts))
        gradients = tape.gradient(losses[-1], list(variables.values()))
        # As a Python float it would become float32 on its way, which moves the fourth loss by 1e-3.
        rate = tf.constant(0.02 * (1 - i / 100) ** 0.9, tf.float64)
        optimizer.apply(tf.distribute.get_strategy(), gradients, rate)
    expected = golden("train_ade20k_float64")
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-9)
    images = tf.constant(reference_image(3, (2, 3, 64, 64)), tf.float64)
    log_probs = _nchw(tf.nn.log_softmax(model(images)["logits"]))[:, ::5]
    assert_close(log_probs, expected["log_probs_after"], 1e-8)
    # The original program ran in float32, which the second loss still agrees with.
    original = golden("train_csail_resnet18dilated_c1_deepsup")
    np.testing.assert_allclose(losses[:2], original["losses"][:2], rtol=1e-6)
