import concurrent.futures
import io
import json

import numpy as np
import pytest
from PIL import Image

from tfseg import visualize
from tfseg.data.image_files import read_image
from tfseg.errors import TfsegError
from tfseg.inference.predictor import Predictor, load
from tfseg.models import ModelSpec, Preprocessing, create_model
from tfseg.weights import save_weights

SPEC = ModelSpec(
    "drn_d_22",
    4,
    preprocessing=Preprocessing(mean=(0.3, 0.4, 0.5), std=(0.2, 0.25, 0.3)),
    classes=["a", "b", "c", "d"],
)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    SPEC.save(folder / "model.json")
    save_weights(create_model("drn_d_22", 4), folder / "best.weights.h5")
    return folder


@pytest.fixture(scope="module")
def predictor(run_dir):
    return load(run_dir)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (1, 1), (1, 70), (70, 1), (9, 8)])
def test_any_size(predictor, size):
    image = noise(*size)
    labels = predictor.predict(image)
    assert labels.dtype == np.uint8
    assert labels.shape == size
    probabilities = predictor.probabilities(image)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (*size, 4)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert np.array_equal(probabilities.argmax(-1), labels)


def test_prediction_is_the_models_own(predictor):
    image = noise(40, 56)
    inputs = SPEC.preprocessing.normalize(image)[None]
    expected = np.asarray(predictor.model.probabilities(inputs))[0]
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-5)


def test_one_trace_for_all_sizes(run_dir):
    fresh = load(run_dir)
    for size in ((16, 16), (24, 9), (1, 1)):
        fresh.predict(noise(*size))
    assert fresh._labels.experimental_get_tracing_count() == 1


def test_path_pil_and_array_agree(predictor, tmp_path):
    image = noise(24, 32)
    Image.fromarray(image).save(tmp_path / "image.png")
    expected = predictor.predict(image)
    assert np.array_equal(predictor.predict(tmp_path / "image.png"), expected)
    assert np.array_equal(predictor.predict(str(tmp_path / "image.png")), expected)
    assert np.array_equal(predictor.predict(Image.fromarray(image)), expected)


def test_overlay_uses_the_default_palette(predictor):
    image = noise(16, 24)
    expected = visualize.overlay(
        image, predictor.predict(image), visualize.default_palette(4), alpha=0.3
    )
    assert np.array_equal(predictor.overlay(image, alpha=0.3), expected)


def test_200_concurrent_requests_get_their_own_answers(predictor):
    images = [noise(16 + index % 5, 20, index) for index in range(20)]
    expected = [predictor.predict(image) for image in images]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        results = list(pool.map(predictor.predict, images * 10))
    assert all(np.array_equal(a, b) for a, b in zip(results, expected * 10, strict=True))


def test_batches_keep_order_and_sizes(predictor, tmp_path):
    images = [noise(*size, seed) for seed, size in enumerate([(9, 8)] * 3 + [(8, 9), (9, 8)])]
    Image.fromarray(images[1]).save(tmp_path / "image.png")
    expected = [predictor.predict(image) for image in images]
    sources = [images[0], tmp_path / "image.png", Image.fromarray(images[2]), *images[3:]]
    results = predictor.predict_batch(iter(sources), batch_size=2)
    assert all(np.array_equal(a, b) for a, b in zip(results, expected, strict=True))
    assert predictor.predict_batch([]) == []


def test_large_file_is_refused_by_its_header(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    Image.fromarray(noise(4, 101)).save(path)
    monkeypatch.setattr(Image.Image, "convert", None)  # what decoding would call
    with pytest.raises(TfsegError, match="101x4, above 100 pixels a side"):
        read_image(path, max_side=100)


def test_weights_file_beside_model_json_and_with_a_spec(run_dir, predictor, tmp_path):
    image = noise(16, 16)
    expected = predictor.predict(image)
    assert np.array_equal(load(run_dir / "best.weights.h5").predict(image), expected)
    lone = tmp_path / "lone.weights.h5"
    lone.write_bytes((run_dir / "best.weights.h5").read_bytes())
    assert np.array_equal(load(lone, SPEC).predict(image), expected)
    with pytest.raises(TfsegError, match=r"there is no .*model.json"):
        load(lone)
    save_weights(predictor.model, lone, SPEC.preprocessing)
    assert np.array_equal(load(lone).predict(image), expected)


def test_directory_without_weights(run_dir, tmp_path):
    (tmp_path / "model.json").write_bytes((run_dir / "model.json").read_bytes())
    with pytest.raises(TfsegError, match=r"no best\.weights\.h5"):
        load(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(TfsegError, match="there is no run directory"):
        load(tmp_path / "absent")


def test_weights_of_another_class_count(run_dir, tmp_path):
    values = json.loads((run_dir / "model.json").read_text())
    del values["digest"]
    values.update(num_classes=3, classes=None)
    (tmp_path / "model.json").write_text(json.dumps(values))
    (tmp_path / "best.weights.h5").write_bytes((run_dir / "best.weights.h5").read_bytes())
    with pytest.raises(TfsegError, match=r"best\.weights\.h5 .* 4 classes, the model 3"):
        load(tmp_path)


def test_photo_is_turned_upright(tmp_path):
    image = noise(8, 16)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees clockwise
    Image.fromarray(image).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "photo.png"), np.rot90(image, -1))


def test_grey_alpha_and_palette_images(tmp_path):
    grey = noise(4, 5)[..., 0]
    rgb = np.repeat(grey[..., None], 3, axis=-1)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([rgb, np.full_like(grey, 7)])).save(tmp_path / "alpha.png")
    Image.fromarray(rgb).quantize(64).save(tmp_path / "palette.png")
    for name in ("grey", "alpha", "palette"):
        assert np.array_equal(read_image(tmp_path / f"{name}.png"), rgb), name


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_array_of_another_kind(array):
    with pytest.raises(TfsegError, match="uint8"):
        read_image(array)


@pytest.mark.parametrize("kind", ["missing", "text", "truncated", "folder", "bomb"])
def test_unreadable_file(kind, tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    if kind == "text":
        path.write_text("not an image")
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        Image.fromarray(noise(32, 32)).save(path)
        if kind == "truncated":
            path.write_bytes(path.read_bytes()[:-500])
        else:
            monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(TfsegError, match=r"image\.png") as error:
        read_image(path)
    assert "\n" not in str(error.value)


def test_whatever_holds_an_image(predictor, tmp_path):
    import tensorflow as tf

    image, path = noise(16, 24), tmp_path / "image.png"
    Image.fromarray(image).save(path)
    content, expected = path.read_bytes(), predictor.predict(image)
    sources = [str(path), path, content, bytearray(content), memoryview(content)]
    sources += [io.BytesIO(content), Image.open(path), tf.constant(image)]
    for source in sources:
        assert np.array_equal(predictor.predict(source), expected), type(source)
    with open(path, "rb") as file:
        assert np.array_equal(predictor.predict_batch([file])[0], expected)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"secret " * 1000, "image in memory is not an image"),
        (io.BytesIO(b"\x89PNG secret"), "image in memory is not an image"),
        (io.StringIO("secret"), "must be opened in binary mode"),
        ("secret" * 1000, "path is too long: the content of a file goes in as bytes"),
        ("a\0b", "can't be read: embedded null byte"),
        (None, "not a value of NoneType"),
        ([["secret"]], "not a value of list"),
    ],
    ids=range(7),
)
def test_what_holds_no_image(source, message, predictor):
    with pytest.raises(TfsegError, match=message) as error:
        predictor.predict(source)
    assert "secret" not in str(error.value) and len(str(error.value)) < 200


def test_out_of_memory_is_one_line(predictor, monkeypatch):
    import tensorflow as tf

    def exhausted(_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmany lines")

    monkeypatch.setattr(predictor, "_labels", exhausted)
    with pytest.raises(TfsegError, match="not enough memory for an image of 9x8"):
        predictor.predict(noise(8, 9))


def test_models_palette_is_used():
    spec = ModelSpec("drn_d_22", 2, palette=[[1, 2, 3], [4, 5, 6]])
    assert Predictor(spec, spec.build()).palette == [[1, 2, 3], [4, 5, 6]]
