"""Predictors of images that aren't 8-bit RGB."""

import numpy as np
import pytest
from PIL import Image

from tfseg.data.pixel_files import npy_bytes
from tfseg.errors import TfsegError
from tfseg.inference.predict_files import find_images, predict_files
from tfseg.inference.predictor import Predictor
from tfseg.inference.protocol import Protocol
from tfseg.models import ModelSpec, Preprocessing
from tfseg.serving.page import serve
from tfseg.serving.to_tflite import export_tflite


@pytest.fixture(scope="module")
def spec():
    preprocessing = Preprocessing((0.5, 0.4), (0.2, 0.1), value_range=(0, 65535))
    return ModelSpec(
        "resnet18+linear", 3, {"channels": 2, "blocks": [1, 1, 1, 1]}, preprocessing, list("abc")
    )


@pytest.fixture(scope="module")
def predictor(spec):
    return Predictor(spec, spec.build(), Protocol(scales=(0.75, 1), tile_size=128))


def image(seed=0, size=(40, 56)):
    return np.random.default_rng(seed).integers(0, 65536, (*size, 2)).astype(np.uint16)


def test_arrays_and_files_give_the_same(predictor, tmp_path):
    labels = predictor.predict(image())
    assert labels.shape == (40, 56) and labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, predictor.predict(image().astype(np.float32)))
    np.testing.assert_array_equal(labels, predictor.predict(npy_bytes(image())))
    (tmp_path / "a.npy").write_bytes(npy_bytes(image()))
    names = find_images([str(tmp_path / "a.npy")])
    (done,) = predict_files(predictor, names, str(tmp_path / "out"), ("labels", "overlay", "panel"))
    assert done.message is None
    np.testing.assert_array_equal(done.labels, labels)
    np.testing.assert_array_equal(Image.open(tmp_path / "out/labels/a.png"), labels)
    assert Image.open(tmp_path / "out/overlay/a.png").mode == "RGB"
    assert predictor.overlay(image()).dtype == np.uint8


def test_a_change_that_eight_bits_lose_is_seen(spec):
    predictor = Predictor(spec, spec.build())
    one, other = np.full((2, 32, 32, 2), 30000, np.uint16)
    other[16:] += 200
    assert np.abs(predictor.probabilities(one) - predictor.probabilities(other)).max() > 1e-5


def test_other_images_are_refused_in_one_line(predictor, tmp_path):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(TfsegError, match=r"a\.png has 3 channels; 2 channels of values in 0"):
        predictor.predict(tmp_path / "a.png")
    with pytest.raises(TfsegError, match=r"numbers \[height, width, 2\] in 0"):
        predictor.predict(np.zeros((9, 9, 3), np.uint16))


def test_what_takes_photographs_alone_says_so(spec, predictor):
    with pytest.raises(TfsegError, match="the page takes 8-bit RGB images, not 2 channels"):
        serve({"m": predictor})
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(TfsegError, match="float16 can't tell apart 2 channels of values in 0"):
        export_tflite(predictor, "model.tflite", image_size=(64, 64))
    with pytest.raises(TfsegError, match="image_resizing=pillow_bicubic` computes in 8 bits"):
        Predictor(spec, predictor.model, Protocol(scales=(0.5,), image_resizing="pillow_bicubic"))
