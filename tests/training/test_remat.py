"""Blocks that are computed twice: the gradients, running averages and random numbers of once."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.errors import TfsegError
from tfseg.training import train
from tfseg.training.remat import Recomputed

SHORT = {"blocks": [1, 1, 1, 1], "output_stride": 8}
NETWORKS = {
    # Weights that all blocks share, and dropout.
    "smoothed": (
        "drn_d_22+c1_bilinear",
        {
            "blocks": [1, 1, 1, 1, 1, 1, 0, 0],
            "dilated_type": "gaussian_filter",
            "gaussian_sigma": "network",
            "dropout": 0.3,
        },
    ),
    "aggregated": (
        "drn_d_22",
        {"blocks": [1, 0, 0, 0, 1, 1, 0, 0], "dilated_type": "aggregation"},
    ),
    "drn_a": ("drn_a_18", {"blocks": [1, 1, 1, 1]}),
    "drn_c": ("drn_c_26", {"blocks": [1, 1, 1, 1, 0, 0, 1, 1]}),
    "ade20k": ("resnet50+upernet", {"blocks": [1, 1, 1, 1]}),
    "ppm": ("resnet50_dilated8+ppm_bilinear_deepsup", {"blocks": [1, 1, 1, 1]}),
    "deeplab": ("resnet18_v1+deeplab_v3plus", SHORT),
    "multi_scale": ("resnet50_caffe+deeplab_v2", {**SHORT, "multi_scale": [1.0, 0.5]}),
    "regseg": ("regseg", {}),
    # Stages of single layers.
    "mobilenet": ("mobilenetv2+linear", {"output_stride": 16}),
    "densenet": ("densenet121+fpn", {}),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "smoothed" else pytest.mark.slow) for name in NETWORKS],
)
def test_gradients_and_state_are_those_of_once(name):
    keras.utils.set_random_seed(0)
    model, options = NETWORKS[name]
    model = tfseg.create_model(model, 3, **options)
    images = tf.random.stateless_normal([2, 64, 64, 3], (1, 2))
    before = [variable.numpy() for variable in model.variables]
    weights = [variable.value for variable in model.trainable_variables]

    def update(forward):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(forward(images))
            loss = tf.add_n([tf.reduce_mean(tf.cast(maps, tf.float32) ** 2) for maps in outputs])
        return tape.gradient(loss, weights, unconnected_gradients="zero")

    found = []
    for forward in (lambda x: model(x, training=True), Recomputed(model)):
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)
        function = tf.function(update, autograph=False)
        # Twice, as random numbers go on.
        gradients = [g.numpy() for _ in range(2) for g in function(forward)]
        found.append((gradients, [variable.numpy() for variable in model.variables]))
    (once, state), (twice, again) = found
    for value, expected in zip(again, state, strict=True):
        np.testing.assert_array_equal(value, expected)
    assert any((value != start).any() for value, start in zip(state, before, strict=True))
    for gradient, expected in zip(twice, once, strict=True):
        # What several blocks use has a sum of gradients, whose order is another.
        limit = 2e-5 * np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=limit)
        assert np.abs(expected).max() > 0 or expected.size == 0


def test_training_is_the_same(make_config, assert_same_run):
    plain = make_config("plain", steps=1, val_split="")
    thrifty = make_config("thrifty", steps=1, val_split="", remat=True)
    train(plain)
    train(thrifty)
    assert_same_run(thrifty, plain, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_replicas_micro_batches_and_validation(make_config, assert_same_run, precision):
    settings = {"steps": 2, "validate_every": "1", "learning_rate": 1e-5, "accumulation_steps": 2}
    settings |= {"precision": precision, "ema_decay": 0.9}
    one, two = make_config("one", **settings), make_config("two", **settings)
    train(one)
    train(dataclasses.replace(two, strategy="mirrored", replicas=2, remat=True))
    assert_same_run(two, one, 1e-5 if precision == "float32" else 2e-2)


def test_a_block_is_computed_twice_and_its_input_kept():
    model = tfseg.create_model("drn_d_22", 3, blocks=[1, 0, 1, 0, 0, 0, 0, 0])

    def convolutions(forward):
        def update(images):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(forward(images)["logits"])
            return tape.gradient(loss, [v.value for v in model.trainable_variables])

        graph = tf.function(update, autograph=False).get_concrete_function(
            tf.TensorSpec([1, 32, 32, 3])
        )
        return [op.type for op in graph.graph.get_operations()].count("Conv2D")

    once = convolutions(lambda images: model(images, training=True))
    thrifty = Recomputed(model)
    assert [unit.name for unit in thrifty.units] == [
        *("stem", "stage1_conv1", "stage3_block1", "decoder"),
    ]
    assert convolutions(thrifty) == 2 * once


def test_what_cannot_be_computed_twice(make_config):
    with pytest.raises(TfsegError, match="`remat` and `xla` exclude each other"):
        make_config(remat=True, xla=True)
    # Two features of one stage, neither of which is made of the other.
    images = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(4, 3, 2, "same")(images)
    coarse = keras.layers.Conv2D(4, 3, 4, "same")(images)
    encoder = keras.Model(images, {"stage1": maps, "stage2": coarse}, name="fork")
    model = tfseg.create_model(encoder=encoder, decoder="linear", num_classes=3)
    with pytest.raises(TfsegError, match="stage2 of fork is made of more than the feature before"):
        Recomputed(model)
