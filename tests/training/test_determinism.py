"""Two runs with `deterministic`, to the last bit."""

import pytest
import tensorflow as tf
from tensorflow.python.framework import config as framework

from tfseg.errors import TfsegError
from tfseg.layers.dilated import FILTERS
from tfseg.training import train, trainer

# Dilated convolutions in its second stage, a decoder that resizes, dropout.
NETWORK = {"blocks": [1, 0, 0, 0, 1, 0, 0, 0], "dropout": 0.3}


pytestmark = pytest.mark.usefixtures("indeterminate_after")

AUGMENTED = {
    "random_scale": (0.75, 1.5),
    "random_rotate": 10.0,
    "transforms": "color_jitter:0.4,blur,cutmix",
    "loss": "cross_entropy:1,dice:0.5,lovasz:0.5",
}


@pytest.mark.parametrize(
    ("dilated_type", "settings"),
    [
        # Which has the filters of all others.
        ("aggregation", {}),
        *(pytest.param(name, AUGMENTED, marks=pytest.mark.slow, id=name) for name in FILTERS),
    ],
)
def test_two_runs_are_equal_bit_for_bit(make_config, assert_same_run, dilated_type, settings):
    settings = {
        "model": "drn_d_22+c1_bilinear",
        "model_options": {**NETWORK, "dilated_type": dilated_type},
        "steps": 2,
        "val_split": "",
        "deterministic": True,
        **settings,
    }
    one, two = make_config("one", **settings), make_config("two", **settings)
    train(one)
    assert framework.is_op_determinism_enabled()
    train(two)
    assert_same_run(one, two)


def test_an_operation_without_such_a_form_is_named(make_config, monkeypatch):
    """As TensorFlow says it of some on GPUs."""

    def update(*_):
        raise tf.errors.UnimplementedError(
            None, None, "A deterministic GPU implementation of X is not available.\n\t [[node]]"
        )

    monkeypatch.setattr(trainer.Trainer, "run", update)
    words = "`deterministic` isn't for .*: A deterministic GPU implementation of X is not available"
    with pytest.raises(TfsegError, match=words) as error:
        train(make_config(deterministic=True))
    assert "\n" not in str(error.value)
    with pytest.raises(tf.errors.UnimplementedError):
        train(make_config())


@pytest.mark.parametrize(
    "settings",
    [
        # Five branches that look at one map; and weights that are used at three scales.
        {"model": "resnet18_dilated8+ppm_bilinear", "model_options": {"blocks": [1, 1, 1, 1]}},
        pytest.param(
            {
                "model": "resnet18_dilated8+ppm_bilinear",
                "model_options": {"blocks": [1, 1, 1, 1]},
                "remat": True,
            },
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {
                "model": "resnet18_caffe+deeplab_v2",
                "model_options": {"blocks": [1, 1, 1, 1], "multi_scale": (1, 0.75, 0.5)},
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_used_often_is_added_in_one_order(make_config, assert_same_run, settings):
    """Which `AddN` isn't, with TensorFlow's op determinism alone."""
    settings = {**settings, "steps": 3, "crop_size": 64, "val_split": "", "deterministic": True}
    one, two = make_config("one", **settings), make_config("two", **settings)
    train(one)
    train(two)
    assert_same_run(one, two)
