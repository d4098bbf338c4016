"""Images, label maps and sizes, resized."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data.resizing import resize_image, resize_labels, resized


@pytest.mark.parametrize("size", [(3, 4), (5, 7), (9, 16), (1, 1)])
def test_labels_are_resized_as_pillow_does(size):
    labels = np.random.default_rng(0).integers(0, 256, (2, 17, 23)).astype(np.int32)
    expected = [
        np.array(Image.fromarray(one.astype(np.uint8)).resize(size[::-1], Image.Resampling.NEAREST))
        for one in labels
    ]
    np.testing.assert_array_equal(resize_labels(tf.constant(labels), size), expected)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(16, 23), (57, 82)])
def test_images_are_resized_as_pillow_does_it(method, size):
    image = np.random.default_rng(1).uniform(0, 255, (33, 47)).astype(np.float32)
    pillow = Image.fromarray(image).resize(size[::-1], Image.Resampling[method.upper()])
    ours = resize_image(image[..., None], size, method)[..., 0]
    np.testing.assert_allclose(ours, pillow, atol=1e-2)


def test_sizes_are_rounded_down_and_limited():
    sizes = tf.constant([(20, 30), (40, 24), (17, 40), (7, 900)], tf.int64)
    found = resized(sizes, tf.constant(16, tf.int64), 36)
    assert found.numpy().tolist() == [[16, 24], [26, 16], [15, 36], [1, 36]]


def test_photographs_are_resized_as_pillow_does_it():
    image = np.random.default_rng(0).integers(0, 256, (31, 47, 3), np.uint8)
    for size in ((13, 20), (50, 60)):
        expected = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
        found = resize_image(tf.constant(image, tf.float32), size)
        np.testing.assert_allclose(found, np.asarray(expected), atol=1.0)
