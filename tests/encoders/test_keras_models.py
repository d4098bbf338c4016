"""Keras' own networks as encoders: dilated, they are a denser version of themselves."""

import pathlib
import runpy

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

import tfseg
from tfseg.encoders import ENCODERS, from_keras
from tfseg.encoders.features import FeatureEncoder
from tfseg.layers import sublayers
from tfseg.models import PREPROCESSINGS
from tfseg.weights.assign import weights_of

ROOT = pathlib.Path(__file__).parents[2]
APPLICATIONS = [name for name, row in ENCODERS.items() if row.application]
# tools/docs/backbones.py, which prints for the docs what the tests here hold.
BACKBONES = runpy.run_path(str(ROOT / "tools" / "docs" / "backbones.py"))
randomize = BACKBONES["randomize"]
ARGUMENTS = {"include_top": False, "input_shape": (None, None, 3)}


def check_density(strided, dense, size, margin, tolerance=1e-4):
    """Dense features, subsampled, are the strided ones, `margin` image pixels from the border."""
    images = np.random.default_rng(1).standard_normal((1, size, size, 3)).astype(np.float32)
    sparse, full = strided(images), dense(images)
    assert list(sparse) == list(full)
    for name, stride in strided.strides.items():
        step = stride // dense.strides[name]
        assert step >= 1 and dense.strides[name] == min(stride, dense.output_stride)
        one, other = np.asarray(sparse[name]), np.asarray(full[name])[:, ::step, ::step]
        rows = min(one.shape[1], other.shape[1])
        keep = slice(margin // stride, rows - margin // stride)
        assert keep.stop > keep.start
        error = np.abs(one[:, keep, keep] - other[:, keep, keep]).max()
        assert error < tolerance * one.std(), f"{name}: {error / one.std()}"


@pytest.fixture
def fixed_gates(monkeypatch):
    """Squeeze and excite averages over the map: a denser one has another average."""
    monkeypatch.setattr(layers.GlobalAveragePooling2D, "call", BACKBONES["fixed_gate"])


CASES = [name if name == "mobilenetv2" else pytest.param(name, marks=pytest.mark.slow)
         for name in APPLICATIONS]  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_row_is_atrous(name, fixed_gates):
    strided = tfseg.create_encoder(name)
    randomize(strided)
    assert strided.output_stride == 32 and strided.variant == name
    for output_stride in (8, 16) if name == "mobilenetv2" else (8,):
        dense = tfseg.create_encoder(name, output_stride=output_stride)
        assert list(weights_of(dense)) == list(weights_of(strided))
        for source, target in zip(strided.variables, dense.variables, strict=True):
            target.assign(source)
        check_density(strided, dense, 192, 0)


@pytest.mark.parametrize("name", CASES)
def test_the_strided_row_is_the_network_itself(name):
    row = ENCODERS[name]
    make = getattr(keras.applications, row.application)
    network = make(weights=None, **ARGUMENTS, **row.arguments)
    randomize(network)
    encoder = from_keras(network, None)
    assert encoder.count_params() == network.count_params()
    images = np.random.default_rng(0).standard_normal((1, 64, 96, 3)).astype(np.float32)
    expected = np.asarray(network(images))
    last = np.asarray(encoder(images)[encoder.pyramid[-1]])
    np.testing.assert_allclose(last, expected, atol=1e-4 * expected.std())


def network(strides, pads, kernels, kinds, gates):
    """A small network of every kind of layer that knows positions."""
    images = maps = keras.Input((None, None, 3))
    for number, (stride, pad, kernel, kind, gate) in enumerate(
        zip(strides, pads, kernels, kinds, gates, strict=True)
    ):
        padding = pad
        if pad == "explicit":  # as Keras Applications do it for even sizes
            side = ((kernel - 1) // 2 + (kernel % 2 - 1 if stride > 1 else 0), kernel // 2)
            side = (max(side[0], 0), side[1])
            maps = layers.ZeroPadding2D((side, side))(maps)
            padding = "valid"
        if kind == "max":
            maps = layers.MaxPooling2D(kernel, stride, padding)(maps)
        elif kind == "average":
            maps = layers.AveragePooling2D(kernel, stride, padding)(maps)
        elif kind == "depthwise":
            maps = layers.DepthwiseConv2D(kernel, stride, padding)(maps)
        elif kind == "separable":
            maps = layers.SeparableConv2D(8, kernel, stride, padding)(maps)
        else:
            maps = layers.Conv2D(8, kernel, stride, padding)(maps)
        maps = layers.LayerNormalization(name=f"norm{number}")(maps)
        if gate:
            scale = layers.GlobalAveragePooling2D(keepdims=True)(maps)
            scale = layers.Conv2D(maps.shape[-1], 1, activation="sigmoid")(scale * 0.0)
            maps = layers.Multiply()([maps, scale])
            side = layers.Conv2D(maps.shape[-1], 1)(maps)
            maps = keras.ops.relu(layers.Add()([maps, side])) + 0.5 * maps
    return keras.Model(images, maps)


_LAYER = st.tuples(
    st.sampled_from([1, 2, 2, 3, 4]),
    st.sampled_from(["same", "valid", "explicit"]),
    st.integers(1, 5),
    st.sampled_from(["conv", "depthwise", "separable", "max", "average"]),
    st.booleans(),
)


@pytest.mark.slow
@given(st.lists(_LAYER, min_size=2, max_size=4), st.sampled_from([1, 2, 4]))
def test_any_network_is_atrous(rows, output_stride):
    check_network(rows, output_stride)


@pytest.mark.parametrize(
    ("rows", "output_stride"),
    [
        ([(2, "same", 3, "conv", 0), (2, "same", 3, "depthwise", 1), (2, "same", 5, "max", 1)], 2),
        ([(2, "explicit", 3, "conv", 1), (2, "explicit", 5, "separable", 0)], 1),
        ([(2, "valid", 3, "conv", 0), (2, "same", 3, "average", 0), (1, "same", 4, "conv", 0)], 2),
        (
            [(4, "explicit", 5, "max", 0), (2, "same", 1, "max", 1), (4, "valid", 3, "average", 1)],
            4,
        ),
        ([(4, "valid", 4, "conv", 0), (2, "valid", 2, "average", 1)], 2),
        ([(3, "same", 2, "max", 0), (3, "same", 1, "conv", 1), (1, "valid", 3, "max", 0)], 3),
    ],
)
def test_networks_are_atrous(rows, output_stride):
    check_network(rows, output_stride)


def check_network(rows, output_stride):
    model = network(*zip(*rows, strict=True))
    total = int(np.prod([stride for stride, *_ in rows]))
    try:
        dense = from_keras(model, output_stride)
    except tfseg.TfsegError as error:
        assert f"output_stride={output_stride}: the features of" in str(error)
        return
    strided = from_keras(model, None)
    period = total * 4
    size = period * max(2, -(-60 // period))
    features = dense(np.zeros((1, size, size, 3), np.float32))
    sparse = strided(np.zeros((1, size, size, 3), np.float32))
    for name, stride in strided.strides.items():
        step = stride // dense.strides[name]
        assert features[name].shape[1] == step * sparse[name].shape[1]
    if sparse[strided.pyramid[-1]].shape[1] > 2 * (margin := 24 // total + 2):
        check_density(strided, dense, size, margin * total)


def test_gates_shortcuts_and_parts(tmp_path):
    """A model with its preprocessing inside, of a fixed size, with its classifier."""
    inner = network([2, 1, 2, 1], ["same"] * 4, [3] * 4, ["conv", "max", "separable", "conv"],
                    [0, 1, 0, 1])  # fmt: skip
    images = keras.Input((64, 64, 3))
    maps = inner(layers.Rescaling(1 / 127.5, -1)(images))
    tail = keras.Sequential([layers.Conv2D(8, 3, 2, "same"), layers.BatchNormalization()])
    scores = layers.Dense(5)(layers.GlobalAveragePooling2D()(tail(maps)))
    model = keras.Model(images, scores)
    randomize(model)
    strided, dense = from_keras(model, None), from_keras(model, 2)
    assert strided.output_stride == 8 and list(dense.strides.values()) == [2, 2, 2]
    check_density(strided, dense, 128, 40)
    segmenter = tfseg.create_model(num_classes=3, encoder=dense, decoder="linear")
    segmenter.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    inputs = np.ones((1, 32, 40, 3), np.float32)
    np.testing.assert_array_equal(again(inputs)["logits"], segmenter(inputs)["logits"])


@keras.saving.register_keras_serializable("test")
class Blur(layers.Layer):
    """A layer that nobody knows, which looks at its neighbours."""

    def call(self, inputs):
        return keras.ops.average_pool(inputs, 3, 1, "same")


def sequence(*parts, shape=(None, None, 3)):
    return keras.Sequential([keras.Input(shape), *parts])


SHARED = layers.Conv2D(3, 3, 2, "same", name="shared")


@pytest.mark.parametrize(
    ("make", "output_stride", "words"),
    [
        (lambda: sequence(layers.Conv2D(4, 3, 2), Blur(name="blur")), 1, r"layer blur \(B"),
        (lambda: sequence(layers.Conv2D(4, 3, 2), layers.Flatten(name="f")), 1, "include_top"),
        (lambda: sequence(layers.Conv2D(4, 3, (2, 1), name="c")), 1, "layer c .* along rows than"),
        (lambda: sequence(SHARED, SHARED), 2, "layer shared .* called at several strides"),
        (lambda: sequence(layers.UpSampling2D(name="up")), 1, r"layer up \(Up.* makes maps larger"),
        (lambda: sequence(layers.Conv2D(4, 3, 3), layers.Conv2D(4, 3, 2)), 2, "have 1, and no"),
        (lambda: sequence(layers.Conv2D(4, 3, 2)), 4, "output_stride=4: the features of .* have 2"),
        (lambda: sequence(layers.Conv2D(4, 3, 2)), "8", "must be a whole number, not '8'"),
        (lambda: sequence(layers.Conv2D(4, 3), shape=(8, 8, 4)), 1, "must take images"),
        (lambda: layers.Conv2D(4, 3), 1, "takes a functional or sequential"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(make, output_stride, words):
    with pytest.raises(tfseg.TfsegError, match=words):
        from_keras(make(), output_stride)


def test_options_of_rows():
    options = {"freeze_batch_norm": "statistics", "padding": "same"}
    model = tfseg.create_model("mobilenetv3small+deeplab_v1", 3, **options)
    assert isinstance(model.encoder, FeatureEncoder) and model.output_stride == 8
    norms = [layer for layer in sublayers(model) if hasattr(layer, "freeze")]
    assert norms and all(layer.freeze == "statistics" for layer in norms)
    for options in ({"blocks": [1] * 4}, {"multi_grid": [1]}, {"dilated_type": "smooth_SSC"}):
        with pytest.raises(tfseg.TfsegError, match=f"{next(iter(options))} is for ResNets"):
            tfseg.create_encoder("mobilenetv2", **options)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if ENCODERS[name].arguments else name
        for name in APPLICATIONS
    ],
)
def test_preprocessing_is_that_of_keras(name):
    row = ENCODERS[name]
    raw = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    if not row.arguments:
        module = {"M": "mobilenet_v2", "X": "xception", "D": "densenet", "R": "resnet_v2"}
        module = getattr(keras.applications, module[row.application[0]])
        expected = module.preprocess_input(raw.copy())
    elif "mobilenetv3" in name:
        expected = layers.Rescaling(1 / 127.5, -1)(raw)
    else:  # inside of the network, in its first layers
        made = getattr(keras.applications, row.application)(weights=None, **ARGUMENTS)
        kinds = (layers.Rescaling, layers.Normalization)
        parts = [layer for layer in made.layers[:4] if isinstance(layer, kinds)]
        if made.layers[1].name.endswith("prestem_normalization"):
            parts = [made.layers[1]]
        expected = raw
        for layer in parts:
            expected = layer(expected)
    found = PREPROCESSINGS[row.preprocessing].normalize(raw)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_imagenet_weights(monkeypatch):
    model = tfseg.create_model("mobilenetv3small+linear", 3)
    with pytest.raises(tfseg.TfsegError, match="new_head=True"):
        tfseg.load_weights(model, "imagenet")
    with pytest.raises(tfseg.TfsegError, match=r"releases such as drn_d_22_imagenet"):
        tfseg.load_weights(tfseg.create_model("drn_a_18", 3, blocks=[1] * 4), "imagenet")
    make = keras.applications.MobileNetV3Small

    def fake(weights, **arguments):
        if weights is None:
            return make(weights=None, **arguments)
        raise Exception("URL fetch failure on https://example.com: no network\nmore")

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", fake)
    with pytest.raises(tfseg.TfsegError, match=r"mobilenetv3small can't be had: URL.*no network$"):
        tfseg.load_weights(model, "imagenet", new_head=True)

    network = make(weights=None, **ARGUMENTS, **ENCODERS["mobilenetv3small"].arguments)
    randomize(network)
    monkeypatch.setattr(keras.applications, "MobileNetV3Small", lambda weights, **_: network)
    report = tfseg.load_weights(model, "imagenet", new_head=True)
    assert report.preprocessing == PREPROCESSINGS["tf"] and len(report.fresh) == 2
    images = np.random.default_rng(0).standard_normal((1, 64, 64, 3)).astype(np.float32)
    found = model.encoder(images)[model.encoder.pyramid[-1]]
    np.testing.assert_allclose(found, network(images), atol=1e-4)
