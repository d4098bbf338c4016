"""Keras' own backbones go the whole way: trained, resumed, exported, applied."""

import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.training import train

pytestmark = pytest.mark.usefixtures("indeterminate_after")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("efficientnetv2b0+deeplab_v3plus", {"output_stride": 16}),
        ("convnext_tiny+ppm_bilinear", {"output_stride": 8}),
    ],
)
def test_trained_resumed_exported(
    name, options, make_config, train_until, assert_same_run, tmp_path
):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    settings = {"model": name, "model_options": options, "steps": 4, "crop_size": (64, 64)}
    settings |= {"validate_every": "2", "checkpoint_every": "2", "deterministic": True}
    whole, parts = make_config("whole", **settings), make_config("parts", **settings)
    train(whole)
    train_until(parts, 3)
    assert train(parts).step == 4
    assert_same_run(parts, whole)

    predictor = tfseg.load(whole.run_dir)
    tfseg.export(whole.run_dir, tmp_path / "saved" / "1")
    tfseg.export(whole.run_dir, tmp_path / "model.onnx", "onnx")
    signature = tf.saved_model.load(str(tmp_path / "saved" / "1")).signatures["serving_default"]
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    for size in ((65, 96), (33, 47)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        expected = predictor.predict(image)
        served = signature(tf.constant(image[None]))["labels"][0].numpy()
        (onnx,) = session.run(["labels"], {"images": image[None]})
        assert np.mean(served == expected) > 0.999
        assert np.mean(onnx[0] == expected) > 0.999
