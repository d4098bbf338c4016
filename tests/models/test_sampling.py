"""sampling=legacy against TensorFlow 1's rules, stated once more in NumPy."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import tfseg
from tfseg.data.resizing import resize_labels
from tfseg.inference import Inference, Protocol, views
from tfseg.inference.crf import upsampled_probabilities
from tfseg.inference.tiles import Tiling
from tfseg.layers import resize_legacy
from tfseg.training import SegmentationLoss

OPTIONS = {"blocks": [1, 1, 1, 1], "padding": "same", "sampling": "legacy"}
SIDES = st.integers(1, 30)


def legacy(maps, size):
    """Bilinear, float64 [H, W, C] of [h, w, C]."""
    for axis, length in enumerate(size):
        place = np.arange(length) * maps.shape[axis] / length
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, maps.shape[axis] - 1)
        share = (place - before).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        maps = maps.take(before, axis) * (1 - share) + maps.take(after, axis) * share
    return maps


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_maps_and_labels(source, target):
    maps = np.random.default_rng(0).random((*source, 2), np.float32)
    got = resize_legacy(tf.constant(maps[None]), target)[0]
    np.testing.assert_allclose(got, legacy(maps, target), atol=1e-4)
    labels = np.arange(source[0] * source[1]).reshape(source)
    rows, columns = ([i * s // t for i in range(t)] for s, t in zip(source, target, strict=True))
    got = resize_labels(tf.constant(labels[None]), target, legacy=True)[0]
    np.testing.assert_array_equal(got, labels[np.ix_(rows, columns)])


def test_labels_of_a_training_crop():
    got = resize_labels(tf.range(321)[None, :, None], (41, 1), legacy=True)[0, :, 0]
    assert got[:3].numpy().tolist() == [0, 7, 15]


@pytest.mark.parametrize("scales", [None, (1, 0.75, 0.5)])
def test_model_inference_and_tiles(scales, monkeypatch):
    monkeypatch.setattr(views, "_STRIP", 7 * 70 * 3)
    options = {**OPTIONS, **({"multi_scale": scales} if scales else {})}
    model = tfseg.create_model("deeplab_v2_resnet50", 3, **options)
    for variable in model.decoder.trainable_variables:
        variable.assign(20 * variable)
    image = np.random.default_rng(1).normal(size=(1, 61, 70, 3)).astype(np.float32)
    outputs = {name: value.numpy() for name, value in model(image, training=False).items()}
    if scales:
        single = tfseg.create_model("deeplab_v2_resnet50", 3, **OPTIONS)
        for ours, theirs in zip(single.variables, model.variables, strict=True):
            ours.assign(theirs)
        maps = []
        for scale in scales:
            small = legacy(image[0], (int(61 * scale), int(70 * scale)))[None]
            maps.append(single(small.astype(np.float32), training=False)["logits"][0].numpy())
            np.testing.assert_allclose(outputs[f"logits_{scale:g}"][0], maps[-1], atol=2e-3)
        size = maps[0].shape[:2]
        expected = np.max([legacy(one, size) for one in maps], 0)
        np.testing.assert_allclose(outputs["logits"][0], expected, atol=2e-3)
    scores = legacy(outputs["logits"][0], (61, 70))
    expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(model.probabilities(image)[0], expected, atol=1e-4)
    np.testing.assert_allclose(Inference(model).probabilities(image)[0], expected, atol=1e-4)
    kept = upsampled_probabilities(outputs["logits"][0], (61, 70), model.upsampling, 8)
    np.testing.assert_allclose(kept, expected, atol=1e-4)
    # One tile that holds the image is the image.
    tiled = Inference(model, Protocol(tile_size=640)).probabilities(image)
    np.testing.assert_allclose(tiled[0], expected, atol=1e-4)


# How far from where it lies a cell of the network below sees: at strides of 1, 2, 4 and then 8, 4
# for 7x7 and 2 for 3x3 with stride 2 ("same" padding may put one more behind), 1 for 3x3, 2 and 4
# for those with dilation, and 2 for the head's larger rate.
REACH = 1 * 4 + 2 * 2 + 4 * 1 + 8 * (1 + 2 + 4 + 2)


def seen_whole(length, axis):
    """Which pixels are interpolated from cells that no tile has computed in sight of its border."""
    cells = len(axis.weights[0])
    place = 8 * np.arange(cells)
    right = np.full(cells, True)
    for start, stop, weights in zip(axis.starts, axis.stops, axis.weights, strict=True):
        within = ((start == 0) | (place - REACH >= start)) & (
            (stop == length) | (place + REACH < stop)
        )
        right &= within | (weights == 0)
    before = np.arange(length) * cells // length
    return right[before] & right[np.minimum(before + 1, cells - 1)]


@pytest.mark.parametrize("size", [(336, 96), (99, 331)])
def test_tiles_are_whole_away_from_borders(size):
    """Where no tile's border is in reach, tiles give what the whole image gives: at any size."""
    keras.utils.set_random_seed(0)
    model = tfseg.create_model("deeplab_v2_resnet50", 3, **OPTIONS, atrous_rates=(1, 2))
    for variable in model.decoder.trainable_variables:
        variable.assign(20 * variable)
    image = np.random.default_rng(1).normal(size=(1, *size, 3)).astype(np.float32)
    whole = Inference(model).probabilities(image)[0].numpy()
    tiled = Inference(model, Protocol(tile_size=192)).probabilities(image)[0].numpy()
    tiling = Tiling(model, 192)
    rows, columns = (
        seen_whole(length, convert(tiling.axis(length, -(-length // 8)))) for length in size
    )
    assert 0.4 < min(rows.mean(), columns.mean()) < 1
    region = np.ix_(rows, columns)
    np.testing.assert_allclose(tiled[region], whole[region], atol=1e-4)
    assert (tiled.argmax(-1) == whole.argmax(-1)).mean() > 0.9


def convert(axis):
    """An `Axis` with NumPy's arrays."""
    values = {f.name: np.asarray(getattr(axis, f.name)) for f in dataclasses.fields(axis)}
    return dataclasses.replace(axis, **values)


def test_head_of_the_tensorflow_1_codes():
    """Glorot and Bengio's uniform of sqrt(6 / (fan in + fan out)) for each branch of the head."""
    options = {**OPTIONS, "head_initializer": "glorot_uniform"}
    model = tfseg.create_model("deeplab_v2_resnet50", 21, **options)
    limit = np.sqrt(6 / (9 * 2048 + 9 * 21))
    for branch in model.decoder.branches:
        kernel = branch.kernel.numpy()
        assert 0.99 * limit < np.abs(kernel).max() <= limit
        assert abs(kernel.std() - limit / np.sqrt(3)) < 0.01 * limit
    again = model.from_config(model.get_config())
    assert again.decoder.head_initializer == "glorot_uniform"


def test_loss_takes_the_first_corners():
    model = tfseg.create_model("deeplab_v2_resnet50", 3, **OPTIONS)
    labels = np.random.default_rng(0).integers(0, 3, (1, 33, 41)).astype(np.int32)
    logits = np.random.default_rng(1).normal(size=(1, 5, 6, 3)).astype(np.float32)
    loss = SegmentationLoss(model)
    counts = loss.counts(tf.constant(labels), (33, 41))
    rows, columns = [i * 33 // 5 for i in range(5)], [i * 41 // 6 for i in range(6)]
    truth = labels[0][np.ix_(rows, columns)]
    log = logits[0] - np.log(np.exp(logits[0]).sum(-1, keepdims=True))
    expected = -np.take_along_axis(log, truth[..., None], -1).mean()
    got = loss({"logits": tf.constant(logits)}, tf.constant(labels), counts)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_it_travels_with_the_model(tmp_path):
    model = tfseg.create_model("deeplab_v2_resnet50", 3, **OPTIONS, multi_scale=[1, 0.5])
    path = tmp_path / "model.keras"
    model.save(path)
    again = tf.keras.models.load_model(path)
    assert again.upsampling == "legacy" and again.spec.options["sampling"] == "legacy"
    image = np.random.default_rng(0).normal(size=(1, 40, 33, 3)).astype(np.float32)
    np.testing.assert_allclose(again.probabilities(image), model.probabilities(image), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("deeplab_v2_resnet50", {"sampling": "legcy"}, "unknown sampling 'legcy'.*legacy"),
        ("drn_d_22", {"sampling": "legacy"}, "sampling=legacy is for decoders"),
        ("deeplab_v2_resnet50", {"head_initializer": "glorot"}, "did you mean glorot_uniform"),
        ("drn_d_22", {"head_initializer": "normal"}, "an option of the decoders deeplab_v2"),
    ],
)
def test_refused(name, options, message):
    with pytest.raises(tfseg.TfsegError, match=message):
        tfseg.create_model(name, 3, **options)
