"""The protocols of the original codes, against their rules in conftest.py.

What the network makes of a view is the model's own: other tests hold it against the originals.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.errors import TfsegError
from tfseg.inference import PROTOCOLS, Inference, Predictor, Protocol, views
from tfseg.models import PREPROCESSINGS, ModelSpec

CLASSES = 5


def draw(size, seed=0):
    """Smooth stains and some noise, uint8."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (6, 8, 3), np.uint8))
    image = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))
    return np.clip(image + generator.normal(0, 20, image.shape), 0, 255).astype(np.uint8)


BLOCKS = {"blocks": [1, 1, 1, 1]}
DRN = {"blocks": [1, 1, 1, 1, 0, 0, 0, 0]}
# protocol: a model, its options, its preprocessing, the image's size
RULES = {
    "drn_original": ("drn_d_22", DRN, "imagenet", (46, 60)),
    "ade20k_original": ("resnet18_dilated8+c1_bilinear", BLOCKS, "ade20k", (45, 58)),
    "deeplab_v2_original": ("deeplab_v2_resnet50", BLOCKS, "caffe", (61, 70)),
}


def make(name, options, preprocessing):
    """A model whose fresh head gives each class logits of mean 0 and deviation 2; its spec."""
    keras.utils.set_random_seed(0)
    spec = ModelSpec(name, CLASSES, options, PREPROCESSINGS[preprocessing])
    model = spec.build()
    logits = network_of(spec, model)(draw((64, 64)))
    mean, deviation = logits.mean((0, 1)), logits.std((0, 1)).mean()
    for variable in model.decoder.trainable_variables:
        if variable.path.endswith("/kernel") and variable.shape[-1] == CLASSES:
            variable.assign(2 / deviation * variable)
        elif variable.path.endswith("/bias"):  # zero; DeepLab adds up several
            variable.assign(-2 / deviation * mean)
            mean = 0 * mean
    return spec, model


def network_of(spec, model):
    """Function from an image in levels to logits [h, w, C]."""

    def network(image):
        images = spec.preprocessing.normalize(tf.constant(image, tf.float32))[None]
        return model(images, training=False)["logits"][0].numpy().astype(float)

    return network


@pytest.mark.parametrize("name", RULES)
def test_protocol_is_the_originals(name, original_rules, opencv_bilinear, monkeypatch):
    rule = getattr(original_rules, name)
    model_name, options, preprocessing, size = RULES[name]
    # Strips of seven rows, so that they meet inside of the image.
    monkeypatch.setattr(views, "_STRIP", 7 * size[1] * CLASSES)
    spec, model = make(model_name, options, preprocessing)
    image, protocol, arguments = draw(size), PROTOCOLS[name], {}
    if name == "ade20k_original":  # the same at sizes that take no seconds
        arguments["short_sides"] = (29, 45, 53)
        protocol = dataclasses.replace(protocol, **arguments)
    expected = rule(network_of(spec, model), image, opencv_bilinear, **arguments)
    if name == "deeplab_v2_original":
        scaled, whole = make(model_name, {**options, "multi_scale": (1, 0.75, 0.5)}, preprocessing)
        for variable, value in zip(whole.variables, model.variables, strict=True):
            variable.assign(value)
        spec, model = scaled, whole
    predictor = Predictor(spec, model, protocol)
    found = predictor.probabilities(image)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    best = np.sort(expected, -1)
    clear = best[..., -1] - best[..., -2] > 1e-3
    assert clear.mean() > 0.97 and len(np.unique(expected.argmax(-1))) > 1
    labels = predictor.predict(image)
    np.testing.assert_array_equal(labels[clear], expected.argmax(-1)[clear])
    # The protocol that isn't the original's differs, but for DeepLab's, where only means do.
    other = PROTOCOLS.get(name.removesuffix("_original"))
    if other.views == protocol.views and not arguments:
        gap = Predictor(spec, model, other).probabilities(image) - expected
        assert np.abs(gap).max() > 2e-3


def test_the_whole_map_is_resized_in_tiles_too():
    spec, model = make("drn_d_22", DRN, "imagenet")
    protocol = dataclasses.replace(PROTOCOLS["drn_original"], scales=(1.0, 1.25))
    image = draw((61, 75))
    whole = Predictor(spec, model, protocol).probabilities(image)
    tiled = dataclasses.replace(protocol, tile_size=96)
    found = Predictor(spec, model, tiled).probabilities(image)
    np.testing.assert_allclose(found, whole, atol=1e-4)


def test_levels_need_the_images_as_they_are():
    _, model = make("drn_d_22", DRN, "imagenet")
    with pytest.raises(TfsegError, match="image_resizing=pillow_bicubic` is for uint8"):
        Inference(model, PROTOCOLS["drn_original"])


def test_originals_are_named_with_their_means():
    for name in RULES:
        assert PROTOCOLS[name].to_dict()["name"] == name
    assert PROTOCOLS["ade20k_original"].absent_classes == "zero"
    assert PROTOCOLS["deeplab_v2_original"].absent_classes == "truth"
    assert Protocol().absent_classes == "skip"
