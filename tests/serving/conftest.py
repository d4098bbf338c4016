import io

import numpy as np
import pytest
from PIL import Image

from tfseg.inference.predictor import Predictor
from tfseg.models import ModelSpec, Preprocessing


def spread(model):
    """`model` with batch norms that do something, and scores of a trained network's size."""
    generator = np.random.default_rng(1)
    for variable in model.variables:
        shape = tuple(variable.shape)
        if variable.path.endswith("gamma"):
            variable.assign(generator.uniform(0.3, 0.6, shape))
        elif variable.path.endswith("moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, shape))
        elif variable.path.endswith(("beta", "moving_mean", "bias")):
            variable.assign(0.2 * generator.normal(size=shape))
    return model


@pytest.fixture(scope="session")
def make_predictor():
    """Function (name, options, protocol) -> a `Predictor` of four classes with drawn weights."""

    def make(name="resnet18+linear", options=None, protocol=None):
        # Shallow, because tracing takes most of these tests' time.
        options = {"blocks": [1, 1, 1, 1], **(options or {})}
        spec = ModelSpec(
            name,
            4,
            options,
            Preprocessing((0.3, 0.4, 0.5), (0.2, 0.25, 0.3), "BGR"),
            ["sky", "road", "car", "tree"],
            [[70, 130, 180], [128, 64, 128], [0, 0, 142], [107, 142, 35]],
        )
        return Predictor(spec, spread(spec.build()), protocol)

    return make


@pytest.fixture(scope="session")
def picture():
    """Function (height, width, seed) -> uint8 [height, width, 3]."""

    def make(height, width, seed=0):
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)

    return make


@pytest.fixture(scope="session")
def encode():
    """Function (array, format) -> the bytes of an image file."""

    def make(array, kind="PNG"):
        file = io.BytesIO()
        Image.fromarray(array).save(file, kind)
        return file.getvalue()

    return make
