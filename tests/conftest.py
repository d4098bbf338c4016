"""Fixtures for the whole suite."""

import gc
import os
import pathlib
import zlib

import tfseg  # noqa: F401  first: it keeps TensorFlow's notes out of the suite's last lines

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, settings

# Two logical devices stand in for two GPUs. They must be made before TensorFlow starts.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# The quick profile draws the same examples every time; `tools/test.sh --slow` chooses the other.
# Nothing asserts a duration, neither an example's nor that of drawing it.
_QUICK = {
    "max_examples": 30,
    "derandomize": True,
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("quick", **_QUICK)
settings.register_profile(
    "slow", **{**_QUICK, "max_examples": 1000, "derandomize": False, "print_blob": True}
)
settings.load_profile("quick")

# What the imports made stays: a collection need not walk all of Keras and TensorFlow again.
gc.freeze()

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _reproducible():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


def _generator(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def fill(name, shape, fan_in):
    """The tensor that the reference runs had under an original name.

    Each is a function of its name and shape alone, so no weights have to be kept with the tests.
    """
    generator = _generator(name)
    if name.endswith(("running_var", "moving_variance")):
        value = generator.uniform(0.5, 1.5, shape)
    elif name.endswith(("running_mean", "moving_mean")):
        value = 0.1 * generator.standard_normal(shape)
    elif len(shape) >= 2:
        value = generator.standard_normal(shape) / np.sqrt(fan_in)
    elif name.endswith(("weight", "gamma")):
        value = generator.uniform(0.5, 1.0, shape)
    else:
        value = 0.1 * generator.standard_normal(shape)
    return value.astype(np.float32)


@pytest.fixture(scope="session", name="fill")
def _fill():
    """`fill`, for tests that give our own variables values by it."""
    return fill


@pytest.fixture(scope="session")
def original_weights():
    """Function (model, layout name) -> {original name: array} under the reference runs' rule."""
    from tfseg.weights.layouts.families import layouts

    def make(model, layout_name):
        layout = next(one for one in layouts(model) if one.name == layout_name)
        weights = {}
        for variable in model.variables:
            if "seed_generator" in variable.path:
                continue
            name = layout.original(variable.path)
            shape = tuple(variable.shape)
            fan_in = np.prod(shape[:-1])
            if len(shape) == 4 and layout.kernels == "OIHW":
                shape = (shape[3], shape[2], shape[0], shape[1])
            weights[name] = fill(name, shape, fan_in)
        return weights

    return make


@pytest.fixture(scope="session")
def reference_image():
    """Function (seed, NCHW shape) -> the reference runs' input as an NHWC array."""

    def make(seed, shape):
        generator = np.random.Generator(np.random.PCG64(seed))
        image = generator.standard_normal(shape).astype(np.float32)
        return np.ascontiguousarray(image.transpose(0, 2, 3, 1))

    return make


@pytest.fixture(scope="session")
def reference_labels():
    """Function (seed, shape, classes) -> the reference runs' int32 labels, a fifth of them 255."""

    def make(seed, shape, num_classes):
        generator = np.random.Generator(np.random.PCG64(seed))
        labels = generator.integers(0, num_classes, shape)
        labels[generator.random(shape) < 0.2] = 255
        return labels.astype(np.int32)

    return make


@pytest.fixture(scope="session")
def two_replicas():
    """The strategy over both logical devices. A process must have no second one of its kind."""
    from tfseg.training import create_strategy

    return create_strategy("mirrored", 2)


@pytest.fixture(scope="session")
def golden():
    """Function (name) -> the arrays of tests/golden/NAME.npz."""
    return lambda name: dict(np.load(GOLDEN / f"{name}.npz"))


@pytest.fixture(scope="session")
def assert_close():
    """Function (actual, expected, tolerance): the largest error as a share of the spread."""

    def check(actual, expected, tolerance):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape
        error = np.abs(actual - expected).max() / expected.std()
        assert error < tolerance, f"differs by {error:.2e} of the spread"

    return check


@pytest.fixture(scope="session")
def opencv_bilinear():
    """Function (uint8 [H, W, C], (h, w)) -> what OpenCV's INTER_LINEAR gives: weights of 11 bits,
    4 of which are given up between columns and rows."""

    def axis(source, target):
        places = ((np.arange(target) + 0.5) * (1 / (target / source)) - 0.5).astype(np.float32)
        before = np.floor(places)
        gain = np.rint((places - before) * np.float32(2048)).astype(int)
        fade = np.rint((np.float32(1) - (places - before)) * np.float32(2048)).astype(int)
        return before.astype(int), fade, gain

    def resize(image, size):
        height, width = image.shape[:2]
        before, fade, gain = axis(width, size[1])
        beyond = (before < 0) | (before >= width - 1)
        fade[beyond], gain[beyond] = 2048, 0
        left, right = (np.clip(before + i, 0, width - 1) for i in (0, 1))
        rows = image[:, left] * fade[:, None] + image[:, right] * gain[:, None]
        before, fade, gain = axis(height, size[0])
        upper, lower = (rows[np.clip(before + i, 0, height - 1)] >> 4 for i in (0, 1))
        upper, lower = upper * fade[:, None, None] >> 16, lower * gain[:, None, None] >> 16
        return (upper + lower + 2 >> 2).astype(np.uint8)

    return resize
