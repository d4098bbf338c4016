"""Models made from objects: any Keras model as an encoder, any layer as a decoder."""

import keras
import numpy as np
import pytest

import tfseg
from tfseg.decoders import UPerNet
from tfseg.encoders import create_encoder
from tfseg.weights import save_weights

IMAGES = np.random.default_rng(0).standard_normal((1, 40, 48, 3)).astype(np.float32)


def mine(features=4, shape=(None, None, 3)):
    images = keras.Input(shape)
    maps, outputs = images, {}
    for number in range(1, features + 1):
        conv = keras.layers.Conv2D(4 * number, 3, 2, "same", name=f"conv{number}")
        maps = outputs[f"level{number}"] = conv(maps)
    return keras.Model(images, outputs, name="mine")


@keras.saving.register_keras_serializable("test")
class Mean(keras.layers.Layer):
    """Class scores that are the same everywhere."""

    def build(self, shapes):
        self.scores = self.add_weight(name="scores", shape=(3,))

    def call(self, features):
        maps = list(features.values())[-1]
        return {"logits": keras.ops.mean(maps, -1, keepdims=True) + self.scores}

    def compute_output_shape(self, shapes):
        return {"logits": (*list(shapes.values())[-1][:3], 3)}


def round_trip(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(IMAGES)["logits"], model(IMAGES)["logits"])
    assert again.spec == model.spec
    for variable in again.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    save_weights(model, tmp_path / "best.weights.h5")
    for source in ("model.keras", "best.weights.h5"):
        tfseg.load_weights(again, tmp_path / source)
        np.testing.assert_array_equal(again(IMAGES)["logits"], model(IMAGES)["logits"])


@pytest.mark.parametrize(
    "features", [1, *(pytest.param(count, marks=pytest.mark.slow) for count in (3, 4)), 5]
)
def test_any_keras_model_is_an_encoder(features, tmp_path):
    encoder = mine(features)
    model = tfseg.create_model(num_classes=5, encoder=encoder, decoder="upernet", padding="same")
    assert model.spec.name == "mine+upernet" and model.output_stride == 2**features
    assert len(model.encoder.pyramid) == 4
    finest = model.encoder.strides[model.encoder.pyramid[0]]
    assert model(IMAGES)["logits"].shape == (1, 40 // finest, 48 // finest, 5)
    assert model.probabilities(IMAGES).shape == (1, 40, 48, 5)
    assert encoder.get_layer("conv1").kernel in model.trainable_variables
    round_trip(model, tmp_path)
    with pytest.raises(tfseg.TfsegError, match=r"unknown model 'mine\+upernet'"):
        model.spec.build()


def test_any_layer_is_a_decoder(tmp_path):
    model = tfseg.create_model(
        num_classes=3, encoder="drn_a_18", decoder=Mean(name="decoder"), blocks=[1, 1, 1, 1]
    )
    assert model(IMAGES)["logits"].shape == (1, 5, 6, 3)
    round_trip(model, tmp_path)


def test_our_own_parts_as_objects(tmp_path):
    encoder = create_encoder("resnet18_v1", blocks=[1, 1, 1, 1])
    decoder = UPerNet(5, encoder.pyramid, width=8, pyramid_width=8, name="decoder")
    model = tfseg.create_model(num_classes=5, encoder=encoder, decoder=decoder)
    assert model.encoder is encoder and model.decoder is decoder
    round_trip(model, tmp_path)


def test_names_of_parts_are_a_name():
    model = tfseg.create_model(num_classes=5, encoder="drn_a_18", decoder="linear")
    assert model.spec == tfseg.create_model("drn_a_18+linear", 5).spec


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "a model is a name, or an encoder and a decoder"),
        ({"encoder": "drn_a_18"}, "a model is a name, or"),
        ({"name": "drn_a_18", "decoder": "fpn"}, "not both: drn_a_18"),
        ({"encoder": "drn_a_19", "decoder": "fpn"}, "did you mean drn_a_18"),
        ({"encoder": mine(), "decoder": "upernett"}, "unknown decoder .* did you mean upernet"),
        ({"encoder": mine(), "decoder": "upernet", "blocks": [1]}, "unknown option of mine"),
        ({"encoder": mine(shape=(64, 64, 3)), "decoder": "fpn"}, "of any size, not"),
        ({"encoder": keras.layers.Dense(3), "decoder": "fpn"}, "a built Keras model"),
        ({"encoder": "drn_a_18", "decoder": 7}, "`decoder` must be a Keras layer"),
        ({"encoder": "drn_a_18", "decoder": UPerNet(4, ["a"] * 4)}, "layer for 5 classes"),
    ],
)
def test_bad_objects(arguments, words):
    with pytest.raises(tfseg.TfsegError, match=words):
        tfseg.create_model(num_classes=5, **arguments)
