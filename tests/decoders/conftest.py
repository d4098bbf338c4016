"""What is asked of every decoder."""

import keras
import numpy as np
import pytest

# Sizes fine to coarse, whose ratios aren't whole, and channels.
SIZES = {"stage1": (9, 4), "stage2": (5, 8), "stage3": (3, 8), "stage4": (3, 12)}


@pytest.fixture(scope="session")
def levels():
    """Names of the features that decoders of these tests look at."""
    return list(SIZES)


@pytest.fixture
def decoded(tmp_path):
    """Function (decoder of 5 classes) -> features and outputs, as arrays.

    On the way it asks what is asked of all: the shapes that it foretells, and a Keras file that
    gives the same.
    """

    def run(decoder):
        rng = np.random.default_rng(0)
        x = {n: rng.standard_normal((2, s, s, c)).astype(np.float32) for n, (s, c) in SIZES.items()}
        inputs = {name: keras.Input((None, None, c), name=name) for name, (_, c) in SIZES.items()}
        model = keras.Model(inputs, decoder(inputs))
        y = model(x)
        shapes = decoder.compute_output_shape({name: value.shape for name, value in x.items()})
        assert shapes == {name: tuple(value.shape) for name, value in y.items()}
        assert all(shape[-1] == 5 for shape in shapes.values())
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")(x)
        for name, value in y.items():
            np.testing.assert_array_equal(again[name], value)
        return x, {name: np.asarray(value) for name, value in y.items()}

    return run
