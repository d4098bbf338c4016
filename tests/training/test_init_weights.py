"""Runs that start from weights: what they load, what stays fresh, how they normalise images."""

import os

import numpy as np
import pytest

import tfseg
from tfseg.errors import TfsegError
from tfseg.models import PREPROCESSINGS, ModelSpec
from tfseg.training import train
from tfseg.weights import save_original

FOUR = {"blocks": [1, 1, 1, 1]}


@pytest.fixture(scope="module")
def caffe_style(tmp_path_factory):
    """Weights of a network that was trained on BGR images, with another number of classes."""
    path = tmp_path_factory.mktemp("weights") / "bgr.safetensors"
    save_original(tfseg.create_model("resnet18_caffe+deeplab_v1", 3, **FOUR), path)
    return str(path)


def test_run_takes_over_the_preprocessing_of_its_weights(make_config, caffe_style):
    settings = {"model": "resnet18_caffe+deeplab_v1", "model_options": FOUR, "val_split": ""}
    start = {"init_weights": caffe_style, "new_head": True, **settings}
    for name, chosen, expected in (
        ("auto", "auto", PREPROCESSINGS["caffe"]),
        ("given", "imagenet", PREPROCESSINGS["imagenet"]),
    ):
        config = make_config(name, steps=1, preprocessing=chosen, **start)
        train(config)
        card = os.path.join(config.run_dir, "model.json")
        assert ModelSpec.load(card).preprocessing == expected
    # A run that continues doesn't read them again.
    train(make_config(name, steps=2, preprocessing=chosen, **start))
    assert ModelSpec.load(card).preprocessing == expected


def test_image_classifier_starts_a_whole_fresh_decoder(make_config, tmp_path):
    classifier = tfseg.create_classifier("resnet18_v1", 7, **FOUR)
    path = tmp_path / "classifier.safetensors"
    save_original(classifier, path)
    settings = {"model": "resnet18_v1+deeplab_v3plus", "model_options": FOUR, "val_split": ""}
    settings |= {"init_weights": str(path), "steps": 1, "freeze_batch_norm": "statistics"}
    with pytest.raises(TfsegError, match="ask for a new head"):
        train(make_config("strict", **settings))
    assert not os.path.exists(make_config("strict").run_dir)
    config = make_config("new", new_head=True, learning_rate=1e-9, **settings)
    train(config)
    model = tfseg.load(config.run_dir).model
    for ours, theirs in zip(model.encoder.variables, classifier.encoder.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
