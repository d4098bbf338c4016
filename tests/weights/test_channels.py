"""Weights of three channels in models of others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfseg
from tfseg.models import ModelSpec, Preprocessing
from tfseg.weights import save_weights
from tfseg.weights.assign import spread_kernel

TINY = {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}


@given(st.integers(1, 13), st.permutations(range(13)), st.integers(0, 99))
def test_equal_channels_get_the_same_answer(channels, order, seed):
    kernel = np.random.default_rng(seed).normal(size=(3, 3, 3, 2)).astype(np.float32)
    colours = tuple(c for c in order if c < channels)[:3]
    spread = spread_kernel(kernel, channels, colours if channels >= 3 else (0, 0, 0))
    assert spread.shape == (3, 3, channels, 2) and spread.dtype == np.float32
    np.testing.assert_allclose(spread.sum(2), kernel.sum(2), atol=1e-5)


def test_three_channels_keep_their_kernels_and_colours_theirs():
    kernel = np.random.default_rng(0).normal(size=(1, 1, 3, 2))
    np.testing.assert_array_equal(spread_kernel(kernel, 3), kernel)
    spread = spread_kernel(kernel, 5, (2, 1, 0))  # blue first, as satellites have it
    np.testing.assert_array_equal(spread[:, :, 1], kernel[:, :, 1] / 2)
    np.testing.assert_array_equal(spread[:, :, 2], kernel[:, :, 0] / 2)
    np.testing.assert_array_equal(spread[:, :, 0], kernel[:, :, 2])


@pytest.mark.parametrize("channels", [1, 4])
def test_a_model_of_other_channels_starts_from_three(channels, tmp_path):
    rgb = tfseg.create_model("drn_d_22", 3, **TINY)
    path = str(tmp_path / "rgb.weights.h5")
    save_weights(rgb, path)
    model = tfseg.create_model("drn_d_22", 3, channels=channels, **TINY)
    report = tfseg.load_weights(model, path)
    assert report.spread == channels
    words = "1 channel" if channels == 1 else "4 channels"
    assert f"spread the first kernel's 3 channels over {words}" in str(report)
    grey = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype(np.float32)
    one, other = (
        np.asarray(m(np.repeat(grey, n, -1), training=False)["logits"])
        for m, n in ((rgb, 3), (model, channels))
    )
    np.testing.assert_allclose(other, one, atol=1e-4 * np.abs(one).max())
    # Its own files are as strict as ever.
    save_weights(model, path)
    assert tfseg.load_weights(model, path).spread is None
    with pytest.raises(tfseg.TfsegError, match="1 shape differs"):
        tfseg.load_weights(rgb, path)


def test_channels_are_part_of_the_recipe(tmp_path):
    spec = ModelSpec(
        "resnet18+linear",
        2,
        {"channels": 5, "blocks": [1, 1, 1, 1]},
        Preprocessing((0.5,) * 5, (0.1,) * 5, value_range=(0, 65535), rgb_bands=(2, 1, 0)),
    )
    spec.save(tmp_path / "model.json")
    loaded = ModelSpec.load(tmp_path / "model.json")
    assert loaded == spec and loaded.preprocessing.bands == spec.preprocessing.bands
    model = loaded.build()
    assert model.input_shape == (None, None, None, 5)
    assert type(model).from_config(model.get_config()).input_shape == model.input_shape
    assert "channels" not in tfseg.create_model("resnet18+linear", 2).encoder.get_config()


@pytest.mark.parametrize("channels", [0, 1.5, "4", 10**6])
def test_impossible_channels(channels):
    with pytest.raises(tfseg.TfsegError, match="`channels` must be"):
        tfseg.create_model("drn_d_22", 2, channels=channels)


def test_networks_without_other_channels_say_so():
    with pytest.raises(tfseg.TfsegError, match="channels is no option of mobilenetv2"):
        tfseg.create_encoder("mobilenetv2", channels=4)
