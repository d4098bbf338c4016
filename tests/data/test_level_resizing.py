"""Resizing in levels is Pillow's and OpenCV's, equal to the last level."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data.resizing import RESIZINGS, resized_window

SIZES = [  # of the image, and what it is resized to
    ((37, 53), (74, 106)),
    ((64, 48), (32, 24)),
    ((40, 60), (13, 97)),
    ((5, 7), (90, 3)),
    ((1, 1), (4, 6)),
    ((30, 30), (30, 30)),
]


def draw(size, seed=0):
    """Noise, half of it black and white, whose cubic overshoots."""
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    image[: size[0] // 2] = np.where(image[: size[0] // 2] > 127, 255, 0)
    return image


def pillow(image, size):
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def resize():
    """{method: compiled function of a batch, a size and a window, whatever their sizes}."""

    def compiled(method):
        def function(images, size, window):
            return resized_window(images, tf.unstack(size), tf.unstack(window), method)

        specs = ([None, None, None, 3], tf.uint8), ([2], tf.int32), ([4], tf.int32)
        return tf.function(function, input_signature=[tf.TensorSpec(*spec) for spec in specs])

    return {name: compiled(name) for name, row in RESIZINGS.items() if row.of_levels}


@pytest.mark.parametrize("source, target", SIZES)
@pytest.mark.parametrize("method", ["pillow_bicubic", "opencv_bilinear"])
def test_equal_to_the_last_level(method, source, target, resize, opencv_bilinear):
    rule = {"pillow_bicubic": pillow, "opencv_bilinear": opencv_bilinear}[method]
    images = np.stack([draw(source, seed) for seed in (0, 1)])
    expected = np.stack([rule(image, target) for image in images])
    found = resize[method](images, target, (0, target[0], 0, target[1]))
    np.testing.assert_array_equal(found, expected)
    top, left = target[0] // 3, target[1] // 2
    window = (top, target[0] - top // 2, left, target[1])
    found = resize[method](images, target, window)
    np.testing.assert_array_equal(found, expected[:, top : window[1], left:])


def test_the_statement_is_opencv(golden, opencv_bilinear):
    for (source, target), found in zip(SIZES, golden("opencv_bilinear").values(), strict=True):
        np.testing.assert_array_equal(opencv_bilinear(draw(source), target), found)
