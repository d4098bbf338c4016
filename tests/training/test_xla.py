"""The gradient of a training step compiled with XLA is that without, whatever decodes.

In float64, where a random network doesn't multiply rounding to something that is seen; and without
dropout, whose random numbers are others under XLA.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.decoders import DECODERS
from tfseg.layers import sublayers
from tfseg.training.losses import SegmentationLoss, size_of


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS)
def test_xla_is_the_same_step(decoder):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        if decoder == "regseg":
            model = tfseg.create_model("regseg", 3)
        else:
            model = tfseg.create_model(f"resnet18+{decoder}", 3, blocks=[1, 1, 1, 1])
    finally:
        keras.config.set_floatx("float32")
    for layer in sublayers(model):
        if getattr(layer, "rate", 0):
            layer.rate = 0.0
    loss = SegmentationLoss(model)
    generator = np.random.default_rng(0)
    images = tf.constant(generator.standard_normal((2, 64, 96, 3)))
    labels = tf.constant(generator.integers(0, 3, (2, 64, 96), "int32"))
    weights = [v.value for v in model.trainable_variables]

    def step(images, labels):
        with tf.GradientTape() as tape:
            counts = tf.cast(loss.counts(labels, size_of(images)), tf.float64)
            value = loss(model(images, training=True), labels, counts)
        return value, tape.gradient(value, weights)

    plain = tf.function(step, autograph=False)(images, labels)
    compiled = tf.function(step, autograph=False, jit_compile=True)(images, labels)
    assert float(compiled[0]) == pytest.approx(float(plain[0]), rel=1e-6)
    for variable, one, other in zip(model.trainable_variables, plain[1], compiled[1], strict=True):
        limit = 1e-4 * np.abs(one).max()
        np.testing.assert_allclose(other, one, rtol=0, atol=limit, err_msg=variable.path)
