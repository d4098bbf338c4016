"""Every layer: its numbers, its shapes for known and unknown sizes, its config and saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseg import TfsegError
from tfseg.encoders.blocks import BasicBlock, Bottleneck
from tfseg.layers import (
    AdaptiveAveragePool2D,
    BatchNorm,
    Conv2D,
    ConvBN,
    MaxPool2D,
    convolve,
    resize,
    upsample_zero_border,
)

LAYERS = [
    Conv2D(6, 3, strides=2, use_bias=True),
    Conv2D(6, 3, dilation_rate=2, padding="same"),
    Conv2D(6, 3, strides=2, groups=2),
    BatchNorm(momentum=0.5, epsilon=1e-3),
    ConvBN(6, 3, 2, batch_norm={"epsilon": 1e-3}),
    ConvBN(6, 3, dilation_rate=2, folded=True),
    AdaptiveAveragePool2D(3),
    MaxPool2D(),
    MaxPool2D("ceil", lowest=0.0),
    MaxPool2D("same"),
    BasicBlock(6, strides=2, dilations=(1, 2)),
    BasicBlock(6, residual=False),
    Bottleneck(4, strides=2, stride_on="1x1", conv={"padding": "same"}),
    Bottleneck(4, dilations=(1, 2), groups=2, width=32),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("size", [(9, 12), (1, 1), (8, 7)])
def test_layer_contract(layer, size, tmp_path):
    x = np.random.default_rng(0).standard_normal((2, *size, 4)).astype(np.float32)
    layer = type(layer).from_config(layer.get_config())
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, layer(inputs))
    y = model(x)
    assert tuple(y.shape) == layer.compute_output_shape(x.shape)
    assert layer.compute_output_shape((None, None, None, 4))[-1] == y.shape[-1]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), y)


def _plain_convolution(x, kernel, strides, dilation):
    """Direct convolution with symmetric zero padding, output by output."""
    side = (kernel.shape[0] - 1) * dilation // 2
    x = np.pad(x, ((0, 0), (side, side), (side, side), (0, 0)))
    taps = kernel.shape[0]
    height, width = ((n - dilation * (taps - 1) - 1) // strides + 1 for n in x.shape[1:3])
    y = np.zeros((x.shape[0], height, width, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            rows = i * strides + dilation * np.arange(taps)
            columns = j * strides + dilation * np.arange(taps)
            patch = x[:, rows][:, :, columns]
            y[:, i, j] = np.einsum("nabc,abcd->nd", patch, kernel)
    return y


@pytest.mark.parametrize("strides, dilation", [(1, 1), (2, 1), (1, 2), (1, 4), (2, 2)])
@pytest.mark.parametrize("size", [(7, 10), (6, 5)])
def test_symmetric_padding(strides, dilation, size):
    x = np.random.default_rng(0).standard_normal((2, *size, 3)).astype(np.float32)
    layer = Conv2D(4, 3, strides, dilation)
    y = layer(x)
    expected = _plain_convolution(x, layer.kernel.numpy(), strides, dilation)
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("dilation", [1, 2])
def test_groups_are_convolved_by_themselves(dilation):
    x = tf.random.normal((2, 7, 10, 6))
    layer = Conv2D(4, 3, dilation_rate=dilation, groups=2)
    layer.build(x.shape)
    kernel = layer.kernel.value

    def apart(x, kernel):
        pairs = zip(tf.split(x, 2, -1), tf.split(kernel, 2, -1), strict=True)
        return tf.concat([convolve(*pair, 1, dilation) for pair in pairs], -1)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, expected = layer(x), apart(x, kernel)
        loss, other = (tf.reduce_sum(value**2) for value in (y, expected))
    np.testing.assert_allclose(y, expected, atol=1e-5)
    gradients = tape.gradient(loss, [x, kernel])
    for one, two in zip(gradients, tape.gradient(other, [x, kernel]), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)
    with pytest.raises(TfsegError, match="groups must divide 6 channels and 5 filters"):
        Conv2D(5, 3, groups=2).build(x.shape)


def test_same_padding_is_tensorflows():
    x = np.random.default_rng(0).standard_normal((1, 6, 6, 3)).astype(np.float32)
    layer = Conv2D(4, 3, 2, padding="same")
    np.testing.assert_allclose(layer(x), tf.nn.conv2d(x, layer.kernel.value, 2, "SAME"), atol=1e-6)


def test_dilated_convolution_has_a_gradient():
    x = tf.random.normal((1, 9, 9, 2))
    layer = Conv2D(3, 3, dilation_rate=3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) ** 2)
    for gradient in tape.gradient(loss, [x, layer.kernel.value]):
        assert float(tf.reduce_max(tf.abs(gradient))) > 0


@pytest.mark.parametrize("size", [(6, 6), (7, 11), (3, 4), (1, 1)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_adaptive_pooling_cells(size, bins):
    x = np.random.default_rng(0).standard_normal((2, *size, 3)).astype(np.float32)
    y = np.asarray(AdaptiveAveragePool2D(bins)(x))

    def cell(i, length):
        return slice(i * length // bins, -(-(i + 1) * length // bins))

    for i in range(bins):
        for j in range(bins):
            expected = x[:, cell(i, size[0]), cell(j, size[1])].mean((1, 2))
            np.testing.assert_allclose(y[:, i, j], expected, atol=1e-5)


def test_he_initialisation_counts_the_fan_out():
    layer = Conv2D(64, 3)
    layer.build((None, None, None, 16))
    assert np.std(layer.kernel) == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.05)


def test_pooling_paddings_at_the_border():
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 4, 1)
    assert MaxPool2D()(x)[0, :, :, 0].numpy().tolist() == [[6, 8], [14, 16]]
    assert MaxPool2D("ceil")(x)[0, :, :, 0].numpy().tolist() == [
        [6, 8, 8],
        [14, 16, 16],
        [14, 16, 16],
    ]
    assert MaxPool2D("same")(x)[0, :, :, 0].numpy().tolist() == [[11, 12], [15, 16]]


def test_pooling_pads_with_less_than_anything():
    assert float(tf.reduce_max(MaxPool2D()(-np.ones((1, 4, 4, 1), np.float32)))) == -1


def test_batch_norm_statistics():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32) * 3 + 1
    layer = BatchNorm(momentum=0.75)
    y = layer(x, training=True)
    np.testing.assert_allclose(np.mean(y, (0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.var(y, (0, 1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.25 * x.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    unbiased = x.var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(layer.moving_variance, 0.75 + 0.25 * unbiased, rtol=1e-4)
    expected = (x - layer.moving_mean.numpy()) / np.sqrt(layer.moving_variance.numpy() + 1e-5)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("freeze, trainable", [("none", 2), ("statistics", 2), ("all", 0)])
def test_batch_norm_freezing(freeze, trainable):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    layer = BatchNorm(freeze=freeze)
    y = layer(x, training=True)
    assert len(layer.trainable_variables) == trainable
    moved = np.any(layer.moving_mean.numpy() != 0)
    assert moved == (freeze == "none")
    if freeze != "none":
        np.testing.assert_allclose(y, x / np.sqrt(1 + 1e-5), rtol=1e-5)


@pytest.mark.parametrize("split", [(2, 2), (1, 3)])
def test_batch_norm_is_synchronised(split, two_replicas):
    """Two replicas, also of different sizes, see the statistics and gradients of the whole."""
    x = np.random.default_rng(0).standard_normal((4, 3, 4, 5)).astype(np.float32) * 2 + 3
    weight = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)

    def run(strategy, parts):
        with strategy.scope():
            layer = BatchNorm(momentum=0.5)
            layer.build((None, None, None, 5))

        def values(array):
            chunks = np.split(array, np.cumsum(parts)[:-1])
            return strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(chunks[context.replica_id_in_sync_group])
            )

        @tf.function(reduce_retracing=True)
        def step(x, w):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x, training=True) * w)
            gradients = tape.gradient(loss, [x, layer.gamma.value])
            total = tf.distribute.get_replica_context().all_reduce("sum", gradients[1])
            return gradients[0], total

        gradient, gamma = strategy.run(step, args=(values(x), values(weight)))
        gradient = np.concatenate(strategy.experimental_local_results(gradient))
        gamma = strategy.experimental_local_results(gamma)[0]
        return gradient, gamma, layer.moving_mean.numpy(), layer.moving_variance.numpy()

    one = run(tf.distribute.OneDeviceStrategy("CPU:0"), (4,))
    two = run(two_replicas, split)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_batch_norm_of_each_replica_alone(two_replicas):
    """Unsynchronised, each normalises by its own mean and variance; averages are of all."""
    x = np.random.default_rng(0).standard_normal((4, 3, 4, 5)).astype(np.float32) * 2 + 3
    chunks = np.split(x, [1])
    with two_replicas.scope():
        layer = BatchNorm(momentum=0.5, synchronized=False)
        layer.build((None, None, None, 5))
    values = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(chunks[context.replica_id_in_sync_group])
    )
    call = tf.function(lambda one: layer(one, training=True), reduce_retracing=True)
    found = two_replicas.run(call, args=(values,))
    means, variances = (
        [getattr(chunk, name)((0, 1, 2)) for chunk in chunks] for name in ("mean", "var")
    )
    for got, chunk, mean, variance in zip(
        two_replicas.experimental_local_results(found), chunks, means, variances, strict=True
    ):
        expected = (chunk - mean) / np.sqrt(variance + 1e-5)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), np.mean(means, 0) / 2, rtol=1e-5)
    unbiased = [chunk.reshape(-1, 5).var(0, ddof=1) for chunk in chunks]
    np.testing.assert_allclose(
        layer.moving_variance.numpy(), 0.5 + np.mean(unbiased, 0) / 2, rtol=1e-5
    )


def test_batch_norm_keeps_float32_statistics_in_half_precision():
    x = tf.cast(tf.random.normal((2, 4, 4, 3)), "bfloat16")
    layer = BatchNorm(dtype="mixed_bfloat16")
    assert layer(x, training=True).dtype == "bfloat16"
    assert all(variable.dtype == "float32" for variable in layer.variables)


def test_resize_is_half_pixel():
    ramp = np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1)
    expected = [0, 0.25, 0.75, 1]
    np.testing.assert_allclose(resize(ramp, (1, 4))[0, 0, :, 0], expected, atol=1e-6)


def test_zero_border_upsampling_is_a_transposed_convolution():
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 1)).astype(np.float32)
    ramp = 1 - np.abs(np.arange(16) - 7.5) / 8
    kernel = np.outer(ramp, ramp).astype(np.float32)[:, :, None, None]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    full = tf.nn.conv2d_transpose(padded, kernel, (1, 40, 48, 1), 8, "SAME")
    np.testing.assert_allclose(upsample_zero_border(x, 8), full[:, 8:-8, 8:-8], atol=1e-5)


def test_unknown_values_name_the_choices():
    with pytest.raises(TfsegError, match="symmetric"):
        Conv2D(3, 3, padding="symetric")
    with pytest.raises(TfsegError, match="ceil"):
        MaxPool2D("up")
    with pytest.raises(TfsegError, match="statistics"):
        BatchNorm(freeze="stats")


def test_half_precision_trains_dilated_convolutions():
    """TensorFlow's own convolution has no such gradient in float16 on most CPUs."""
    inputs = np.random.default_rng(0).standard_normal((1, 9, 11, 4))
    kernel = np.random.default_rng(1).standard_normal((3, 3, 4, 2)) / 6
    gradients = {}
    for dtype in (tf.float16, tf.float32):
        values = [tf.cast(one, dtype) for one in (inputs, kernel)]
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = convolve(*values, dilation_rate=2)
        gradients[dtype] = tape.gradient(outputs, values)
    for half, single in zip(*gradients.values(), strict=True):
        assert half.dtype == tf.float16
        np.testing.assert_allclose(half, single, rtol=0.01, atol=0.05)
