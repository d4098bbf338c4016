"""Tiles against whole images, and the memory that they need."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfseg.data.resizing import resize_image, resized_window
from tfseg.errors import TfsegError
from tfseg.inference import Inference, Protocol, views
from tfseg.inference.tiles import Tiling
from tfseg.models import create_model

CLASSES = 3
SMALL = {"blocks": [1, 1, 1, 1, 0, 0, 0, 0]}


def drn(**options):
    model = create_model("drn_d_22", CLASSES, **{**SMALL, **options})
    for variable in model.decoder.trainable_variables:
        variable.assign(5 * variable)
    return model


MODEL = drn()


def noise(height, width):
    values = np.random.default_rng(2).normal(size=(1, height, width, 3))
    return values.astype(np.float32)


def axis(tiling, length, cells):
    return tiling.axis(tf.constant(length), tf.constant(cells))


def test_tiles_of_an_axis_by_hand():
    tiling = Tiling(drn(), 64)
    assert (tiling.overlap, tiling.cells) == (16, 1)
    # 150 pixels are 18 strides and 6, so 62 is the longest tile; the last one begins at 88, and the
    # two between at thirds of that, rounded down to the stride.
    one = axis(tiling, 150, 19)
    assert one.starts.numpy().tolist() == [0, 24, 56, 88]
    assert one.stops.numpy().tolist() == [62, 86, 118, 150]
    assert one.first.numpy().tolist() == [0, 3, 7, 11]
    assert one.last.numpy().tolist() == [7, 10, 14, 19]
    weights = one.weights.numpy()
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-6)
    # One alone where no other reaches; in the overlap one fades as the other appears.
    assert (weights[0, :3] == 1).all() and (weights[0, 7:] == 0).all()
    assert (np.diff(weights[0, 2:8]) < 0).all()
    assert axis(tiling, 30, 4).stops.numpy().tolist() == [30]


@pytest.mark.parametrize(
    "protocol", [{}, {"scales": (0.75, 1.25), "flip": True, "average": "log_probabilities"}]
)
def test_tiled_is_whole_away_from_borders(protocol, monkeypatch):
    # Several strips to a tile and several tiles to a strip both occur.
    monkeypatch.setattr(views, "_STRIP", 20 * 230 * CLASSES)
    model, image = drn(), noise(190, 230)
    whole = Inference(model, Protocol(**protocol)).probabilities(image)[0].numpy()
    tiled = Inference(model, Protocol(**protocol, tile_size=96)).probabilities(image)[0].numpy()
    assert tiled.shape == whole.shape
    np.testing.assert_allclose(tiled.sum(-1), 1, atol=1e-5)
    # The first tile's own middle sees what the whole image's network sees.
    assert np.abs(tiled - whole)[:30, :30].max() < 1e-4
    # Elsewhere nothing differs by more than a tile's border does, faded.
    assert (tiled.argmax(-1) == whole.argmax(-1)).mean() > 0.97
    assert np.abs(whole - whole.mean((0, 1))).max() > 0.2


def test_one_tile_is_the_whole_image():
    model, image = drn(), noise(61, 47)
    expected = Inference(model).probabilities(image)
    found = Inference(model, Protocol(tile_size=96)).probabilities(image)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [0.5, 0.7, 1.3, 2.0])
def test_pieces_of_a_resized_image(scale, method):
    image = tf.constant(noise(60, 90))
    size = tf.constant([int(60 * scale), int(90 * scale)])
    whole = resize_image(image, size, method)
    for window in ((0, 10, 0, 12), (7, 21, 20, 40), (size[0] - 9, size[0], size[1] - 5, size[1])):
        window_tensors = [tf.constant(x) for x in window]
        piece = resized_window(image, (size[0], size[1]), window_tensors, method)
        top, bottom, left, right = window
        np.testing.assert_allclose(piece, whole[:, top:bottom, left:right], atol=1e-4)


def test_tiles_in_a_graph_with_any_size():
    model = drn()
    inference = Inference(model, Protocol(tile_size=64, scales=(0.5, 1.0)))
    function = tf.function(
        inference.labels, input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)]
    )
    for size in ((33, 150), (130, 70), (1, 1)):
        image = noise(*size)
        np.testing.assert_array_equal(function(image), inference.labels(image))
    assert function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18+upernet", {"blocks": [1, 1, 1, 1]}),
        ("deeplab_v2_resnet50", {"blocks": [1, 1, 1, 1], "multi_scale": [1, 0.5]}),
    ],
)
def test_maps_of_other_resolutions_fit_together(name, options):
    model, image = create_model(name, CLASSES, **options), noise(100, 140)
    found = Inference(model, Protocol(tile_size=96)).probabilities(image)
    assert tuple(found.shape) == (1, 100, 140, CLASSES)
    one = Inference(model, Protocol(tile_size=256)).probabilities(image)
    np.testing.assert_allclose(one, Inference(model).probabilities(image), atol=1e-5)


def test_the_network_sees_nothing_larger_than_a_tile():
    class Spy:
        def __init__(self, model):
            self.model, self.seen = model, []

        def __getattr__(self, name):
            return getattr(self.model, name)

        def __call__(self, images, training):
            self.seen.append(tuple(images.shape[1:3]))
            return self.model(images, training=training)

    spy = Spy(drn())
    Inference(spy, Protocol(tile_size=64, scales=(1.0, 1.5))).labels(noise(150, 200))
    assert len(spy.seen) > 12 and np.max(spy.seen) <= 64


def test_tile_smaller_than_three_periods():
    with pytest.raises(TfsegError, match="`tile_size` must be at least 24"):
        Inference(drn(), Protocol(tile_size=23))


@given(st.integers(24, 200), st.integers(1, 999))
def test_tiles_of_any_axis(tile_size, length):
    tiling = Tiling(MODEL, tile_size)
    one = axis(tiling, length, -(-length // 8))
    starts, stops = one.starts.numpy(), one.stops.numpy()
    assert starts[0] == 0 and stops[-1] == length and (starts % 8 == 0).all()
    sizes = stops - starts
    assert (sizes == sizes[0]).all() and sizes[0] <= tile_size and sizes[0] % 8 == length % 8
    assert (stops[:-1] - starts[1:] >= tiling.overlap).all()
    np.testing.assert_allclose(one.weights.numpy().sum(0), 1, rtol=1e-5)
