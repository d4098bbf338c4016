"""Folded networks compute what the networks they come from compute."""

import keras
import numpy as np
import pytest

from tfseg import create_classifier, create_model
from tfseg.errors import TfsegError
from tfseg.layers import BatchNorm, sublayers
from tfseg.models import fold

IMAGE = np.random.default_rng(0).normal(size=(2, 40, 56, 3)).astype(np.float32)


def trained(model):
    """`model` with batch norms that are far from doing nothing."""
    generator = np.random.default_rng(1)
    for variable in model.variables:
        shape = tuple(variable.shape)
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(generator.uniform(0.5, 1.5, shape))
        elif variable.path.endswith(("beta", "moving_mean")):
            variable.assign(0.2 * generator.normal(size=shape))
    return model


def norms(model):
    return [x for x in sublayers(model) if isinstance(x, BatchNorm)]


SHALLOW = [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("drn_d_22", {"blocks": [1] * 8}),
        ("drn_c_26", {"blocks": [1] * 8, "batch_norm_epsilon": 1e-3}),
        ("resnet18+upernet", {}),
        ("resnet18_dilated8+ppm_bilinear_deepsup", {}),
        ("resnet18_caffe+deeplab_v3", {}),
        ("resnet18_v1+deeplab_v3plus", {}),
        ("deeplab_v2_resnet50", {"multi_scale": (1, 0.5)}),
        ("resnet18_dilated8+c1_bilinear", {"dilated_type": "smooth_GI"}),
        ("resnet18_dilated8+linear", {"dilated_type": "aggregation", "trainable_average": True}),
    ],
)
def test_same_outputs_without_batch_norms(name, options, assert_close):
    model = trained(create_model(name, 5, **{"blocks": SHALLOW, **options}))
    folded = fold(model)
    assert norms(model) and not norms(folded)
    outputs = folded(IMAGE, training=False)
    for key, expected in model(IMAGE, training=False).items():
        assert_close(outputs[key], expected, 1e-4)


def test_classifier(assert_close):
    model = trained(create_classifier("drn_d_22", 7))
    assert_close(fold(model)(IMAGE)["logits"], model(IMAGE)["logits"], 1e-4)


def test_folding_leaves_the_model_alone_and_is_done_once():
    model = trained(create_model("drn_d_22", 3, blocks=[1] * 8))
    before = [variable.numpy() for variable in model.variables]
    folded = fold(model)
    assert fold(folded) is folded
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_folded_model_survives_saving(tmp_path):
    folded = fold(trained(create_model("drn_d_22", 3, blocks=[1] * 8)))
    folded.save(tmp_path / "folded.keras")
    again = keras.models.load_model(tmp_path / "folded.keras")
    np.testing.assert_array_equal(again(IMAGE)["logits"], folded(IMAGE)["logits"])


def test_statistics_that_blew_up():
    model = create_model("drn_d_22", 3, blocks=[1] * 8)
    variance = norms(model)[0].moving_variance
    variance.assign(np.full(variance.shape, np.nan))
    with pytest.raises(TfsegError, match="can't be folded"):
        fold(model)


def test_a_model_that_is_built_to_load_draws_no_kernels_and_leaves_the_next_to_draw_them():
    model = create_model("drn_d_22", 3, blocks=[1] * 8)
    empty = model.spec.build_to_load()
    kernels = [v for v in empty.variables if v.path.endswith("kernel")]
    assert len(kernels) > 10
    assert all(not np.any(kernel.numpy()) for kernel in kernels)
    assert [v.path for v in empty.variables] == [v.path for v in model.variables]
    empty.set_weights(model.get_weights())
    np.testing.assert_array_equal(empty(IMAGE)["logits"], model(IMAGE)["logits"])
    with pytest.raises(TfsegError):
        model.spec.build_to_load(nothing_like_it=1)
    again = model.spec.build()
    assert all(np.any(v.numpy()) for v in again.variables if v.path.endswith("kernel"))
