"""Exports answer as their models do, refuse what they can't take, and say what they are."""

import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg.data import DataInfo
from tfseg.data.lists import ImageList
from tfseg.errors import TfsegError
from tfseg.inference import Protocol
from tfseg.inference.crf import CRF
from tfseg.inference.predictor import Predictor
from tfseg.models import precision
from tfseg.serving import verify
from tfseg.serving.card import read_card
from tfseg.weights import save_weights, weights_digest

SIZES = [(33, 47), (64, 96), (1, 70)]


@pytest.fixture(scope="module")
def predictor(make_predictor):
    return make_predictor()


@pytest.fixture(scope="module")
def folder(predictor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "1"
    tfseg.export(predictor, folder, max_side=200)
    return folder


@pytest.fixture(scope="module")
def signatures(folder):
    return tf.saved_model.load(str(folder)).signatures


def assert_same(predictor, folder, images):
    signatures = tf.saved_model.load(str(folder)).signatures
    for image in images:
        expected = predictor.probabilities(image)
        actual = signatures["probabilities"](tf.constant(image[None]))["probabilities"][0]
        np.testing.assert_allclose(actual, expected, atol=1e-4)
        labels = signatures["serving_default"](tf.constant(image[None]))["labels"][0]
        assert labels.dtype == tf.uint8
        assert np.mean(labels.numpy() == predictor.predict(image)) > 0.999


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("drn_d_22", {"blocks": [1] * 8}),
        pytest.param("resnet18_caffe+deeplab_v1", {}, marks=pytest.mark.slow),
        pytest.param(
            *("resnet18_caffe+deeplab_v2", {"multi_scale": (1, 0.75, 0.5)}), marks=pytest.mark.slow
        ),
        (
            "resnet18_caffe+deeplab_v2",
            {"multi_scale": (1, 0.5), "padding": "same", "sampling": "legacy"},
        ),
        pytest.param("resnet18_caffe+deeplab_v3", {"multi_grid": (2,)}, marks=pytest.mark.slow),
        pytest.param(
            *("resnet18_v1+deeplab_v3plus", {"multi_scale": (1, 0.5)}), marks=pytest.mark.slow
        ),
        pytest.param("resnet18_dilated8+c1_bilinear", {}, marks=pytest.mark.slow),
        pytest.param(
            *("resnet18_dilated8+c1_bilinear_deepsup", {"dilated_type": "smooth_GI"}),
            marks=pytest.mark.slow,
        ),
        pytest.param("resnet18_dilated8+ppm_bilinear", {}, marks=pytest.mark.slow),
        pytest.param("resnet18_dilated8+ppm_bilinear_deepsup", {}, marks=pytest.mark.slow),
        pytest.param("resnet18+upernet", {}, marks=pytest.mark.slow),
    ],
)
def test_every_decoder_at_three_sizes(name, options, make_predictor, picture, tmp_path):
    predictor = make_predictor(name, options)
    assert tfseg.export(predictor, tmp_path / "1")["difference"] <= 1e-4
    assert_same(predictor, tmp_path / "1", [picture(*size) for size in SIZES])


def test_protocol_and_fixed_size(make_predictor, picture, tmp_path):
    predictor = make_predictor(protocol=Protocol(scales=(0.5, 1)))
    tfseg.export(predictor, tmp_path / "1", image_size=(40, 56))
    assert_same(predictor, tmp_path / "1", [picture(40, 56)])
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    assert signature.structured_input_signature[1]["images"].shape == [None, 40, 56, 3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="40 rows and 56 columns"):
        signature(tf.zeros([1, 40, 57, 3], tf.uint8))
    card = json.loads((tmp_path / "1/assets/tfseg.json").read_text())
    assert card["image_size"] == [40, 56] and card["protocol"]["scales"] == [0.5, 1]


def test_encoded_files_of_different_sizes(signatures, predictor, picture, encode):
    images = [picture(20, 30), picture(41, 17), picture(24, 24)[..., 0]]
    files = [encode(images[0]), encode(images[1], "JPEG"), encode(images[2])]
    for kind in ("JPEG", "PNG"):
        turned, mark = io.BytesIO(), Image.Exif()
        mark[0x0112] = 6
        Image.fromarray(images[0]).save(turned, kind, exif=mark)
        files.append(turned.getvalue())
    answers = signatures["encoded"](tf.constant(files))["labels_bytes"].numpy()
    assert len(answers) == 5
    for file, answer in zip(files, answers, strict=True):
        labels = np.asarray(Image.open(io.BytesIO(answer)))
        expected = predictor.predict(Image.open(io.BytesIO(file)))
        assert labels.shape == expected.shape
        assert np.mean(labels == expected) > 0.999


def test_card(folder, predictor, tmp_path):
    card = json.loads((folder / "assets/tfseg.json").read_text())
    assert card["model"] == "resnet18+linear"
    assert card["classes"] == predictor.spec.classes and card["palette"] == predictor.palette
    assert card["protocol"]["scales"] == [1.0]
    # The digest is that of the weights, not of a file of them.
    save_weights(predictor.model, tmp_path / "w.weights.h5")
    again = tfseg.load(tmp_path / "w.weights.h5", predictor.spec)
    assert weights_digest(again.model) == card["weights_sha256"]
    next(iter(again.model.trainable_variables)).assign_add(
        np.float32(1e-3) + 0 * again.model.trainable_variables[0]
    )
    assert weights_digest(again.model) != card["weights_sha256"]


@pytest.mark.slow
def test_half_precision(make_predictor, picture, tmp_path, monkeypatch):
    exact = make_predictor("drn_d_22", {"blocks": [1, 1, 2, 2, 1, 1, 1, 1]})
    with precision("bfloat16"):
        model = exact.spec.build()
    for target, source in zip(model.variables, exact.model.variables, strict=True):
        target.assign(source)
    image = picture(64, 96)
    names = ("a.png", "b.png")
    Image.fromarray(image).save(tmp_path / names[0])
    Image.fromarray(exact.predict(image)).save(tmp_path / names[1])
    pairs = ImageList(str(tmp_path), *([str(tmp_path / name)] for name in names), [names[0]])
    info = DataInfo(mean=(0.5,) * 3, std=(0.2,) * 3)
    half = Predictor(exact.spec, model)
    monkeypatch.setattr("tfseg.serving.compare.LARGEST_LOSS", 1.0)
    found = tfseg.export(half, tmp_path / "1", data=(pairs, info))
    # The truth is what the exact model says.
    assert found["mean_iou"] == 1.0 and found["mean_iou_exported"] < 1.0
    share = np.mean(half.predict(image) == exact.predict(image))
    assert share < 1 and found["equal_labels"] == pytest.approx(share, abs=0.02)
    with pytest.raises(TfsegError, match=r"a\.png is 96x64, but the export takes 80"):
        tfseg.export(half, tmp_path / "2", data=(pairs, info), max_side=80)
    card = read_card(tmp_path / "1")
    assert card["precision"] == "bfloat16"
    assert card["weights_sha256"] == weights_digest(exact.model)
    answer = tf.saved_model.load(str(tmp_path / "1")).signatures["probabilities"]
    probabilities = answer(tf.constant(image[None]))["probabilities"][0].numpy()
    difference = np.abs(probabilities - exact.probabilities(image)).max()
    assert 1e-4 < difference < 0.1


def test_card_of_something_else(tmp_path):
    with pytest.raises(TfsegError, match="is no export of tfseg"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 8, 4), r"expected shape \[\?,\?,\?,3\]"),
        ((1, 8, 8, 1), r"expected shape \[\?,\?,\?,3\]"),
        ((1, 0, 8, 3), r"1 to 200 rows and columns, not\] \[0 8\]"),
        ((1, 1, 30000, 3), r"1 to 200 rows and columns, not\] \[1 30000\]"),
        ((0, 8, 8, 3), "one image or more"),
        ((5, 100, 100, 3), "of 40000 pixels at most"),
    ],
)
@pytest.mark.parametrize("name", ["serving_default", "probabilities"])
def test_images_of_another_shape(signatures, name, shape, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures[name](tf.zeros(shape, tf.uint8))


def bomb(encode):
    """A PNG of a hundred bytes whose header declares 30,000 x 30,000 pixels."""
    import struct
    import zlib

    header = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + encode(np.zeros((1, 1, 3), np.uint8))[33:]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda encode, image: b"", "not an image"),
        (lambda encode, image: b"P", "not an image"),
        (
            lambda encode, image: b"a longer text, but an image it is not",
            "not an image",
        ),
        (lambda encode, image: encode(image, "BMP"), "not an image"),
        (lambda encode, image: encode(image, "GIF"), "not an image"),
        (lambda encode, image: encode(image, "JPEG")[:-500], "Invalid JPEG"),
        (lambda encode, image: encode(image, "JPEG")[:40], "Invalid JPEG"),
        (lambda encode, image: encode(image, "PNG")[:-500], "Invalid PNG"),
        (lambda encode, image: encode(image, "PNG")[:30], "Invalid PNG"),
        (lambda encode, image: encode(np.zeros((1, 30000, 3), np.uint8), "JPEG"), r"\[1 30000\]"),
        (lambda encode, image: bomb(encode), r"\[30000 30000\]"),
    ],
)
def test_hostile_files(signatures, encode, picture, make, message):
    good = encode(picture(8, 8))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures["encoded"](tf.constant([good, make(encode, picture(40, 40))]))
    assert len(signatures["encoded"](tf.constant([good]))["labels_bytes"]) == 1


def test_an_earlier_export_is_replaced_and_nothing_else(predictor, folder, tmp_path):
    target = tmp_path / "1"
    shutil.copytree(folder, target)
    tfseg.export(predictor, target, max_side=100)
    assert json.loads((target / "assets/tfseg.json").read_text())["max_side"] == 100
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo.txt").write_text("dear to me")
    with pytest.raises(TfsegError, match="would be overwritten"):
        tfseg.export(predictor, tmp_path / "mine")
    assert (tmp_path / "mine/photo.txt").read_text() == "dear to me"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "mine"]


def test_an_export_that_differs_leaves_nothing(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "_tolerance", lambda predictor, image: -1.0)
    with pytest.raises(TfsegError, match="differs from the model"):
        tfseg.export(predictor, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(0, 8), (8,), (8.5, 8)])
def test_image_size_that_is_none(predictor, tmp_path, size):
    with pytest.raises(TfsegError, match="height and a width"):
        tfseg.export(predictor, tmp_path / "1", image_size=size)


def test_a_crf_is_not_dropped_silently(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "crf", CRF())
    with pytest.raises(TfsegError, match="without crf"):
        tfseg.export(predictor, tmp_path / "1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [1, pytest.param(100, marks=pytest.mark.slow), 10_000])
def test_large_logits_round_more(make_predictor, scale):
    predictor = make_predictor()
    head = predictor.model.decoder.classifier
    head.kernel.assign(head.kernel * scale)
    generator = np.random.default_rng(0)

    def off_by(share):
        def probabilities(images):
            logits = predictor.logits(images[0])
            noise = generator.uniform(-share, share, logits.shape) * np.abs(logits).max()
            rounded = tf.constant((logits + noise)[None], tf.float32)
            upsampled = predictor.model.upsample(rounded, images.shape[1:3])
            return tf.nn.softmax(upsampled).numpy()

        return probabilities

    def run(share):
        probabilities = off_by(share)
        verify.check(predictor, probabilities, lambda x: probabilities(x).argmax(-1))

    run(2e-6)
    with pytest.raises(TfsegError, match="differs from the model"):
        run(1e-2)
