"""A variable's name is a function of the model alone."""

import keras
import numpy as np
import pytest

import tfseg
from tfseg.models.variables import variable_names
from tfseg.weights import save_weights
from tfseg.weights.assign import weights_of


@pytest.mark.parametrize("name", ["mobilenetv3small+linear", "drn_c_26"])
def test_names_are_paths_where_keras_counts_nothing(name):
    model = tfseg.create_model(name, 3)
    assert list(variable_names(model)) == [v.path for v in model.variables]


class Gate(keras.layers.Layer):
    """With weights that have no names, and random numbers of its own."""

    def build(self, shape):
        self.first, self.second = self.add_weight((2,)), self.add_weight((3,))
        self.drop = keras.layers.Dropout(0.1)

    def call(self, x):
        return self.drop(x)


def test_names_are_the_same_at_the_second_building():
    def build():
        images = keras.Input((4, 4, 2))
        return keras.Model(images, Gate(name="b")(Gate(name="a")(images)))

    one, other = build(), build()
    assert [v.path for v in one.variables] != [v.path for v in other.variables]
    names = variable_names(one)
    assert list(names) == list(variable_names(other)) and len(names) == len(one.variables)
    assert list(names)[:2] == ["a/variable", "a/variable_1"]


def test_files_fit_the_second_building(tmp_path):
    model, other = (tfseg.create_model("convnext_tiny+linear", 3) for _ in range(2))
    save_weights(model, tmp_path / "model.weights.h5")
    assert len(tfseg.load_weights(other, tmp_path / "model.weights.h5").loaded) > 100
    for one, two in zip(weights_of(model).values(), weights_of(other).values(), strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
