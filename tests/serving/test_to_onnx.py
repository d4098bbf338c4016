"""ONNX files answer as their models do."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import tfseg
from tfseg.encoders import from_keras
from tfseg.errors import TfsegError
from tfseg.inference.predictor import Predictor
from tfseg.models import Preprocessing
from tfseg.serving import export_onnx


@pytest.mark.parametrize(
    ("name", "options", "image_size"),
    [
        ("drn_d_22", {"blocks": [1] * 8}, None),
        pytest.param(
            *("resnet18_caffe+deeplab_v2", {"multi_scale": (1, 0.75)}, None), marks=pytest.mark.slow
        ),
        pytest.param(
            "resnet18_caffe+deeplab_v2",
            {"multi_scale": (1, 0.75), "padding": "same", "sampling": "legacy"},
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("resnet18_dilated8+ppm_bilinear_deepsup", {}, (40, 56)), marks=pytest.mark.slow
        ),
        pytest.param("resnet18+upernet", {}, None, marks=pytest.mark.slow),
    ],
)
def test_onnxruntime_agrees(name, options, image_size, make_predictor, picture, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    predictor = make_predictor(name, options)
    export_onnx(predictor, tmp_path / "model.onnx", image_size=image_size)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    for size in [image_size] if image_size else [(33, 47), (64, 96), (1, 70)]:
        image = picture(*size)
        labels, probabilities = session.run(
            ["labels", "probabilities"], {"images": np.stack([image] * 2)}
        )
        assert labels.dtype == np.uint8
        for one in range(2):
            np.testing.assert_allclose(
                probabilities[one], predictor.probabilities(image), atol=1e-4
            )
            assert np.mean(labels[one] == predictor.predict(image)) > 0.999
    axes = ["batch", *(image_size or ("height", "width"))]
    assert session.get_inputs()[0].shape == [*axes, 3]
    by_name = {one.name: one.shape for one in session.get_outputs()}
    assert by_name == {"labels": axes, "probabilities": [*axes, predictor.spec.num_classes]}
    card = json.loads(session.get_modelmeta().custom_metadata_map["tfseg"])
    assert card["model"] == name and card["classes"] == predictor.spec.classes


def test_missing_packages(make_predictor, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(TfsegError, match=r"onnxruntime: pip install 'tfseg-keras\[onnx\]'"):
        export_onnx(make_predictor(), tmp_path / "model.onnx")


def test_gelu(picture, tmp_path):
    """Of which TensorFlow's graph has an operation that ONNX hasn't."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    images = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(8, 3, 2, "same", activation="gelu")(images)
    encoder = from_keras(keras.Model(images, maps), None)
    model = tfseg.create_model(num_classes=4, encoder=encoder, decoder="linear")
    predictor = Predictor(dataclasses.replace(model.spec, preprocessing=Preprocessing()), model)
    export_onnx(predictor, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    image = picture(33, 47)
    (found,) = session.run(["probabilities"], {"images": image[None]})
    np.testing.assert_allclose(found[0], predictor.probabilities(image), atol=1e-5)
