"""DRNs with the reference runs' weights give the reference outputs (tests/golden)."""

import numpy as np
import pytest

import tfseg
from tfseg.inference import Inference


def _nchw(maps):
    return np.asarray(maps).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["drn_a_50", "drn_c_26", "drn_d_22", "drn_d_54"])
def test_classifier(name, golden, original_weights, reference_image, assert_close):
    model = tfseg.create_classifier(name)
    tfseg.load_weights(model, original_weights(model, "DRN classifier"))
    expected = golden(name)
    scores = model(reference_image(1, (1, 3, 224, 224)))["logits"]
    assert_close(scores, expected["scores"], 1e-4)
    features = model.encoder(reference_image(2, (1, 3, 72, 88)))
    last = _nchw(features[model.encoder.pyramid[-1]])
    assert_close(last[:, ::32], expected["features"], 1e-3)


def test_segmenter(golden, original_weights, reference_image, assert_close):
    model = tfseg.create_model("drn_d_22", 19)
    tfseg.load_weights(model, original_weights(model, "DRN segmenter"))
    expected = golden("seg_drn_d_22")
    logits = model(reference_image(3, (2, 3, 72, 88)))["logits"]
    assert_close(_nchw(logits), expected["logits"], 1e-4)
    upsampled = _nchw(model.upsample(logits, (72, 88)))
    assert_close(upsampled[:, :, ::3, ::3], expected["upsampled"], 1e-4)
    labels = Inference(model).labels(reference_image(3, (2, 3, 72, 88)))[:, ::3, ::3]
    np.testing.assert_array_equal(labels, expected["upsampled"].argmax(1))
