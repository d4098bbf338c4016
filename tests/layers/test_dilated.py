"""Smoothed dilated convolutions: their numbers, what they equal at first, sizes, gradients."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseg import TfsegError
from tfseg.encoders.blocks import BasicBlock, Bottleneck
from tfseg.layers import Conv2D, ConvBN, DilatedConv2D, Smoothing
from tfseg.layers.dilated import FILTERS
from tfseg.layers.filters import apply_filter, box, gaussian
from tfseg.weights.layouts.tensorflow1 import layouts

# Every type, with every option that changes what it computes.
KINDS = [{"dilated_type": name} for name in FILTERS]
KINDS += [
    {"dilated_type": "average_filter", "trainable_average": True},
    {"dilated_type": "gaussian_filter", "gaussian_sigma": "layer"},
    {"dilated_type": "gaussian_filter", "gaussian_sigma": "network"},
    {
        "dilated_type": "aggregation",
        "trainable_average": True,
        "gaussian_sigma": "network",
        "aggregation_weights": "softmax",
    },
]
each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values()))
)


def _images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _layer(kind, rate, channels=4, **options):
    layer = DilatedConv2D(5, 3, dilation_rate=rate, smoothing=kind, **options)
    layer.build((None, None, None, channels))
    return layer


def _disturb(layer):
    """Gives the filters other than their initial values."""
    generator = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        noise = 0.1 * generator.standard_normal(variable.shape)
        variable.assign_add(noise.astype(np.float32))
    return layer


@pytest.mark.parametrize("rate", [2, 4])
@pytest.mark.parametrize(
    "name, state",
    [
        *((name, "init") for name in FILTERS),
        *((name, "learned") for name in ("smooth_GI", "smooth_SSC", "aggregation")),
    ],
)
def test_reference(name, rate, state, golden, assert_close):
    expected = golden("dilated_layers")
    run = f"{name}_d{rate}_{state}"
    kind = {"dilated_type": name, "trainable_average": True}
    layer = DilatedConv2D(6, 3, dilation_rate=rate, use_bias=True, smoothing=kind)
    layer.build((None, None, None, 5))
    layer.kernel.assign(expected["weights"])
    layer.bias.assign(expected["biases"])
    if f"{run}/fix_w" in expected:
        leaf = "mixing" if name == "smooth_GI" else "ssc"
        convert = layouts(50, [3, 4, 6, 3])[0].arrays[leaf]
        getattr(layer, leaf).assign(convert(expected[f"{run}/fix_w"]))
    if f"{run}/c_vector" in expected:
        layer.smoothing.factors.assign(expected[f"{run}/c_vector"])
    generator = np.random.Generator(np.random.PCG64(6))
    outputs = layer(generator.standard_normal((2, 12, 16, 5)).astype(np.float32))
    assert_close(np.asarray(outputs)[..., ::3], expected[f"{run}/y"], 1e-5)


@each_kind
@pytest.mark.parametrize("rate", [1, 2, 3, 4])
def test_contract(kind, rate, tmp_path):
    """Config, shapes, saving, and one graph for all sizes, whether the rate divides them or not."""
    layer = DilatedConv2D(5, 3, dilation_rate=rate, use_bias=True, smoothing=kind)
    layer = type(layer).from_config(layer.get_config())
    assert layer.get_config()["smoothing"] == Smoothing(**kind).options()
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, layer(inputs))
    _disturb(layer)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 4))])
    for size in ((8, 12), (9, 7), (1, 2)):
        x = _images(2, *size, 4)
        y = model(x)
        assert tuple(y.shape) == layer.compute_output_shape(x.shape)
        np.testing.assert_array_equal(again(x), y)
        np.testing.assert_allclose(graph(x), y, atol=1e-5)


@each_kind
@pytest.mark.parametrize("rate", [2, 3])
def test_every_weight_gets_the_right_gradient(kind, rate):
    layer = _disturb(_layer(kind, rate))
    x, weight = tf.constant(_images(1, 7, 8, 4)), _images(1, 7, 8, 5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) * weight)
    variables = layer.trainable_variables
    # At rate 2 the Gaussian has one tap, whatever the network's sigma.
    gradients = tape.gradient(
        loss, [variable.value for variable in variables], unconnected_gradients="zero"
    )

    def numeric(change, gradient):
        step = 1e-2 * np.random.default_rng(2).standard_normal(gradient.shape).astype(np.float32)
        change(step)
        above = float(tf.reduce_sum(layer(x) * weight))
        change(-2 * step)
        below = float(tf.reduce_sum(layer(x) * weight))
        change(step)
        expected = float(np.sum(gradient * step))
        assert (above - below) / 2 == pytest.approx(expected, rel=0.02, abs=2e-3)

    for variable, gradient in zip(variables, gradients, strict=True):
        numeric(variable.assign_add, gradient.numpy())


@pytest.mark.parametrize("rate", [2, 3, 4])
@pytest.mark.parametrize("size", [(12, 16), (9, 7), (1, 1)])
@pytest.mark.parametrize("name", ["decompose", "smooth_GI", "smooth_SSC"])
def test_starts_as_the_plain_convolution(name, rate, size):
    layer = _layer({"dilated_type": name}, rate)
    plain = Conv2D(5, 3, dilation_rate=rate)
    plain.build((None, None, None, 4))
    plain.kernel.assign(layer.kernel)
    x = _images(2, *size, 4)
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-5)


@each_kind
def test_without_dilation_every_type_is_plain(kind):
    layer = _layer(kind, 1)
    assert len(layer.variables) == len(layer.smoothing.variables) + 1
    plain = Conv2D(5, 3)
    plain.build((None, None, None, 4))
    plain.kernel.assign(layer.kernel)
    x = _images(1, 5, 6, 4)
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-5)


def test_group_interaction_mixes_groups():
    """By its definition: output group i is the sum over j of M[j, i] times group j."""
    rate = 3
    layer = _disturb(_layer({"dilated_type": "smooth_GI"}, rate))
    plain = Conv2D(5, 3, dilation_rate=rate)
    plain.build((None, None, None, 4))
    plain.kernel.assign(layer.kernel)
    x = _images(1, 7, 8, 4)
    # A size that the rate doesn't divide is first padded below and on the right.
    groups = np.asarray(plain(np.pad(x, ((0, 0), (0, 2), (0, 1), (0, 0)))))
    phases = list(itertools.product(range(rate), repeat=2))
    expected = np.zeros_like(groups)
    for (i, (a, b)), (j, (c, d)) in itertools.product(enumerate(phases), repeat=2):
        expected[:, a::rate, b::rate] += layer.mixing.numpy()[j, i] * groups[:, c::rate, d::rate]
    np.testing.assert_allclose(layer(x), expected[:, :7, :8], atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("shape", [(2, 9, 31, 5), (1, 3, 2, 4), (2, 5, 14, 3)])
def test_shared_filter(size, shape):
    """Against TensorFlow's depthwise convolution and its gradients."""
    x, weight = tf.constant(_images(*shape)), _images(*shape)[::-1].copy()
    taps = tf.constant(_images(size, size))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, taps])
        every = tf.tile(taps[:, :, None, None], (1, 1, shape[-1], 1))
        outputs = apply_filter(x, taps), tf.nn.depthwise_conv2d(x, every, [1] * 4, "SAME")
        losses = [tf.reduce_sum(output * weight) for output in outputs]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    ours, theirs = (tape.gradient(loss, [x, taps]) for loss in losses)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name, taps", [("average_filter", box), ("gaussian_filter", gaussian)])
@pytest.mark.parametrize("rate", [3, 4])
def test_filters_lie_on_the_pixel(name, taps, rate):
    """An impulse through an identity kernel shows the filter, mirrored, around its tap."""
    layer = DilatedConv2D(1, 3, dilation_rate=rate, smoothing={"dilated_type": name})
    layer.build((None, None, None, 1))
    layer.kernel.assign(np.eye(9, dtype=np.float32)[4].reshape(3, 3, 1, 1))
    x = np.zeros((1, 11, 11, 1), np.float32)
    x[0, 5, 5] = 1
    filter_ = np.asarray(taps(rate - 1, np.sqrt(0.5)) if taps is gaussian else taps(rate - 1))
    middle = (rate - 2) // 2
    expected = np.zeros((11, 11), np.float32)
    for a, b in itertools.product(range(rate - 1), repeat=2):
        expected[5 - a + middle, 5 - b + middle] = filter_[a, b]
    np.testing.assert_allclose(layer(x)[0, :, :, 0], expected, atol=1e-6)
    assert filter_.argmax() == (rate - 1) * middle + middle or name == "average_filter"


def test_aggregation_is_the_sum_of_its_parts():
    kind = {"dilated_type": "aggregation"}
    layer, x = _disturb(_layer(kind, 4)), _images(1, 9, 10, 4)
    expected = 0
    for factor, name in zip(
        layer.smoothing.factors.numpy(),
        ("regular", "average_filter", "gaussian_filter", "smooth_SSC"),
        strict=True,
    ):
        part = _layer({"dilated_type": name}, 4)
        part.kernel.assign(layer.kernel)
        if part.ssc is not None:
            part.ssc.assign(layer.ssc)
        expected += factor * part(x)
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)


def test_softmax_factors_are_positive_and_sum_to_one():
    smoothing = Smoothing("aggregation", aggregation_weights="softmax")
    smoothing.build()
    np.testing.assert_allclose(smoothing.filter_factors(), [0.25] * 4)
    smoothing.factors.assign([-1, 5, 0, 2])
    factors = np.array(smoothing.filter_factors())
    assert factors.min() > 0 and factors.sum() == pytest.approx(1)


def test_layers_share_what_belongs_to_the_network():
    smoothing = Smoothing("aggregation", gaussian_sigma="network")
    layers = [DilatedConv2D(5, 3, dilation_rate=rate, smoothing=smoothing) for rate in (2, 4)]
    for layer in layers:
        layer.build((None, None, None, 4))
    shared = set(map(id, layers[0].variables)) & set(map(id, layers[1].variables))
    assert shared == set(map(id, smoothing.variables)) and len(shared) == 2


@pytest.mark.parametrize(
    "layer",
    [
        ConvBN(5, 3, dilation_rate=3, smoothing={"dilated_type": "smooth_GI"}),
        BasicBlock(5, dilations=(2, 3), smoothing={"dilated_type": "aggregation"}),
        Bottleneck(3, dilations=(1, 2), smoothing={"dilated_type": "smooth_SSC"}),
    ],
    ids=lambda layer: layer.name,
)
def test_units_and_blocks_save(layer, tmp_path):
    layer = type(layer).from_config(layer.get_config())
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, layer(inputs))
    _disturb(layer)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = _images(1, 7, 9, 4)
    np.testing.assert_array_equal(again(x), model(x))


@each_kind
def test_filters_stay_float32_in_half_precision(kind):
    layer = _layer(kind, 4, dtype="mixed_bfloat16")
    x = _images(1, 9, 9, 4)
    with tf.GradientTape() as tape:
        y = layer(x)
    gradients = tape.gradient(y, [variable.value for variable in layer.trainable_variables])
    assert y.dtype == "bfloat16"
    assert all(variable.dtype == "float32" for variable in layer.variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(
    "kind, words",
    [
        ({"dilated_type": "smooth_ssc"}, r"mean .*smooth_SSC.* choose one of regular, decompose"),
        ({"dilated_type": "blur"}, "choose one of regular, decompose, smooth_GI"),
        ({"trainable_average": "yes"}, "true or false"),
        ({"gaussian_sigma": 1.5}, "fixed, layer, network"),
        ({"aggregation_weights": "sum"}, "raw, softmax"),
    ],
)
def test_bad_values(kind, words):
    with pytest.raises(TfsegError, match=words):
        DilatedConv2D(5, 3, dilation_rate=2, smoothing=kind)


@pytest.mark.parametrize("name", ["decompose", "smooth_GI"])
def test_no_stride_where_groups_have_none(name):
    with pytest.raises(TfsegError, match="no stride"):
        DilatedConv2D(5, 3, strides=2, dilation_rate=2, smoothing={"dilated_type": name})


@each_kind
def test_export(kind, tmp_path):
    """As a SavedModel of one layer, for any size."""
    module = tf.Module()
    module.layer = DilatedConv2D(3, 3, dilation_rate=3, smoothing=kind)
    module.layer.build((None, None, None, 4))
    _disturb(module.layer)
    module.call = tf.function(
        module.layer, input_signature=[tf.TensorSpec((None, None, None, 4), tf.float32)]
    )
    module.weights = [variable.value for variable in module.layer.variables]
    tf.saved_model.save(module, str(tmp_path))
    again = tf.saved_model.load(str(tmp_path))
    for size in ((8, 12), (1, 2)):
        x = tf.constant(_images(1, *size, 4))
        np.testing.assert_allclose(again.call(x), module.layer(x), atol=1e-5)
