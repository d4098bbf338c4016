import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseg.layers import ChannelDropout

SHAPE = (4, 3, 5, 64)


def run(strategy, images):
    """Two steps in training, with `images` ones on each replica: [2, N, 3, 5, C]."""
    keras.utils.set_random_seed(3)
    with strategy.scope():
        layer = ChannelDropout(0.25)
        layer.build()

    @tf.function
    def step():
        ones = tf.ones((images, *SHAPE[1:]))
        outputs = strategy.run(lambda: layer(ones, training=True))
        return strategy.experimental_local_results(outputs)

    return np.stack([np.concatenate(step()) for _ in range(2)])


@pytest.fixture(scope="module")
def outputs():
    return run(tf.distribute.OneDeviceStrategy("CPU:0"), SHAPE[0])


def test_whole_channels_are_dropped_and_the_others_scaled(outputs):
    channels = outputs[:, :, :1, :1]
    np.testing.assert_array_equal(outputs, np.broadcast_to(channels, outputs.shape))
    np.testing.assert_allclose(np.unique(outputs), [0, 4 / 3], rtol=1e-6)
    assert 0.15 < (channels == 0).mean() < 0.35


def test_images_and_steps_differ(outputs):
    rows = outputs[:, :, 0, 0].reshape(-1, SHAPE[-1])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_replicas_drop_what_one_device_does(outputs, two_replicas):
    np.testing.assert_array_equal(run(two_replicas, SHAPE[0] // 2), outputs)


def test_nothing_happens_outside_of_training_or_at_rate_zero():
    images = np.ones(SHAPE, np.float32)
    np.testing.assert_array_equal(ChannelDropout(0.5)(images), images)
    np.testing.assert_array_equal(ChannelDropout(0.0)(images, training=True), images)


def test_path_of_the_state_does_not_depend_on_what_was_made_before():
    layers = [ChannelDropout(0.5, name="dropout") for _ in range(2)]
    for layer in layers:
        layer.build()
    paths = {variable.path for layer in layers for variable in layer.variables}
    assert len(paths) == 1
