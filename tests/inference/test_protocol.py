"""Evaluation at several sizes, against hand-computed sizes and means."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data import read_split
from tfseg.data.resizing import resize_image
from tfseg.errors import TfsegError
from tfseg.evaluation import Evaluator, confusion_matrix, scores
from tfseg.evaluation.truth import Truth
from tfseg.inference import PROTOCOLS, Inference, Protocol, views
from tfseg.inference.protocol import AVERAGES
from tfseg.models import ModelSpec, Preprocessing, create_model
from tfseg.reports import summary
from tfseg.reports.panels import PanelWriter

CLASSES = 4
SHALLOW = {"blocks": [1] * 8}
SIZES = ((20, 30), (33, 47), (40, 9), (24, 24), (41, 28))
# 0 is unlabelled, as in ADE20K.
LABEL_MAP = {0: 255, **{value + 1: value for value in range(CLASSES)}}
ADE20K = Protocol(short_sides=(16, 24), max_long_side=40, size_divisor=8)
SCALES = Protocol(scales=(0.5, 1.0, 1.25))


@pytest.fixture(scope="module")
def image_list(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    lines = []
    for index, (height, width) in enumerate(SIZES):
        image = generator.integers(0, 256, (height, width, 3), np.uint8)
        labels = generator.integers(0, CLASSES + 1, (height, width)).astype(np.uint8)
        Image.fromarray(image).save(folder / f"image{index}.png")
        Image.fromarray(labels).save(folder / f"label{index}.png")
        lines.append(f"image{index}.png label{index}.png\n")
    (folder / "val.txt").write_text("".join(lines))
    return read_split(folder, "val")


@pytest.fixture(scope="module")
def weights():
    model = create_model("drn_d_22", CLASSES, **SHALLOW)
    # A sharper head: fresh ones predict nearly the same class everywhere.
    return [10 * v.numpy() if "decoder" in v.path else v.numpy() for v in model.variables]


def build(weights, strategy=None):
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = create_model("drn_d_22", CLASSES, **SHALLOW)
        for variable, value in zip(model.variables, weights, strict=True):
            variable.assign(value)
    return model


def read(image_list, index):
    image = np.asarray(Image.open(image_list.images[index]))
    table = np.array([255, *range(CLASSES)])
    return image, table[np.asarray(Image.open(image_list.labels[index]))]


def sizes(protocol, size):
    return [one.numpy().tolist() for one in protocol.sizes(tf.constant(size, tf.int32))]


def test_sizes_by_hand():
    # 512x683 at short sides 300 and 600: 300x400.2 and 600x800.4, up to multiples of 8 and 32.
    assert sizes(Protocol(short_sides=(300, 600)), (512, 683)) == [[300, 400], [600, 800]]
    rounded = Protocol(short_sides=(300, 600), size_divisor=32)
    assert sizes(rounded, (512, 683)) == [[320, 416], [608, 800]]
    # 300 would make the long side 1200.
    assert sizes(Protocol(short_sides=(300,)), (1600, 400)) == [[1000, 250]]
    assert sizes(Protocol(scales=(0.5, 1, 1.75)), (33, 47)) == [[16, 23], [33, 47], [57, 82]]
    assert sizes(Protocol(scales=(0.1,)), (3, 50)) == [[1, 5]]


@pytest.mark.parametrize(
    ("protocol", "inputs"),
    [(ADE20K, [(16, 24), (24, 40)]), (SCALES, [(16, 23), (33, 47), (41, 58)])],
)
def test_probabilities_are_the_mean_over_sizes(protocol, inputs, weights):
    model = build(weights)
    image = np.random.default_rng(1).normal(size=(1, 33, 47, 3)).astype(np.float32)
    expected = np.mean(
        [model.probabilities(resize_image(image, size), (33, 47)) for size in inputs], axis=0
    )
    inference = Inference(model, protocol)
    np.testing.assert_allclose(inference.probabilities(image), expected, atol=1e-6)
    np.testing.assert_array_equal(inference.labels(image), expected.argmax(-1))


def view_scores(model, image, size, mirrored, activation):
    """One view's scores at the image's size, from the definition."""
    view, own = resize_image(image, size), image.shape[1:3]
    logits = model(view[:, :, ::-1] if mirrored else view, training=False)["logits"]
    if model.upsampling == "bilinear":  # resized once, from the network's resolution
        scores = activation(tf.image.resize(logits, own))
    else:
        scores = tf.image.resize(activation(model.upsample(logits, size)), own)
    return scores[:, :, ::-1] if mirrored else scores


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", ["drn_d_22", "resnet18+upernet"])
def test_each_way_to_join_views(name, average, monkeypatch):
    # Strips of four rows, so that they meet inside of the image.
    monkeypatch.setattr(views, "_STRIP", 4 * 47 * CLASSES)
    model = create_model(name, CLASSES, blocks=[1] * (4 if "+" in name else 8))
    for variable in model.decoder.trainable_variables:
        variable.assign(10 * variable)
    image = np.random.default_rng(1).normal(size=(1, 33, 47, 3)).astype(np.float32)
    activation = {
        "probabilities": tf.nn.softmax,
        "log_probabilities": tf.nn.log_softmax,
        "maximum": tf.identity,
    }[average]
    maps = [
        view_scores(model, image, size, mirrored, activation)
        for size in ((16, 23), (33, 47), (41, 58))
        for mirrored in (False, True)
    ]
    joined = np.max(maps, 0) if average == "maximum" else np.mean(maps, 0)
    expected = joined if average == "probabilities" else tf.nn.softmax(joined)
    protocol = dataclasses.replace(SCALES, flip=True, average=average)
    inference = Inference(model, protocol)
    # The sharper head's logits reach hundreds, where float32 resolves some 1e-5.
    np.testing.assert_allclose(inference.probabilities(image), expected, atol=1e-4)
    np.testing.assert_array_equal(inference.labels(image), joined.argmax(-1))


def test_joining_two_views_by_hand():
    """Two views of one pixel, whose winner each rule sees differently."""

    class TwoViews:
        upsampling, output_stride, num_classes, size_period = "bilinear", 1, 3, 1
        spec, compute_dtype = ModelSpec("two views", 2), "float32"

        def __call__(self, images, training):
            first, second = [[[[2.0, 1.9, 0.0]]]], [[[[-9.0, 1.9, 3.0]]]]
            return {"logits": tf.where(images[0, 0, 0, 0] > 0, first, second)}

    # What comes first tells the stand-in which way round it sees these two pixels.
    image = np.array([[[[1.0] * 3, [-1.0] * 3]]], np.float32)
    winners = {
        # softmax (.50, .45, .07), (.00, .25, .75): means (.25, .35, .41)
        "probabilities": 2,
        # sums of log-probabilities: about (-13, -2.2, -3.0)
        "log_probabilities": 1,
        # maxima (2, 1.9, 3)
        "maximum": 2,
    }
    for average, winner in winners.items():
        inference = Inference(TwoViews(), Protocol(flip=True, average=average))
        assert inference.labels(image).numpy().tolist() == [[[winner, winner]]]


def test_maximum_is_not_taken_twice():
    model = create_model("deeplab_v2_resnet50", 2, blocks=[1, 1, 1, 1], multi_scale=[1, 0.5])
    with pytest.raises(TfsegError, match="multi_scale"):
        Inference(model, PROTOCOLS["deeplab_v2"])


def test_plain_protocol_is_the_image_as_it_is(weights):
    model = build(weights)
    image = np.random.default_rng(1).normal(size=(1, 33, 47, 3)).astype(np.float32)
    for protocol in (None, Protocol(), Protocol(scales=(1,))):
        inference = Inference(model, protocol)
        expected = model.probabilities(image)
        np.testing.assert_allclose(inference.probabilities(image), expected, atol=1e-5)
        np.testing.assert_array_equal(inference.labels(image), np.argmax(expected, -1))
    assert Inference(model).protocol == {
        "name": "single_scale",
        "resolution": "native",
        "flip": False,
        "scales": [1.0],
        "precision": "float32",
    }


def test_protocol_names_every_choice():
    assert ADE20K.to_dict() == {
        "name": "custom",
        "resolution": "native",
        "flip": False,
        "short_sides": [16, 24],
        "max_long_side": 40,
        "size_divisor": 8,
        "image_resizing": "bilinear, smoothed for reduction",
        "average": "mean of the probabilities",
    }
    assert SCALES.to_dict()["scales"] == [0.5, 1.0, 1.25]
    assert PROTOCOLS["drn"].to_dict() == {
        "name": "drn",
        "resolution": "native",
        "flip": False,
        "scales": [0.5, 0.75, 1.0, 1.25, 1.5, 1.75],
        "size_divisor": 1,
        "image_resizing": "bicubic, smoothed for reduction",
        "average": "sum of the log-probabilities",
    }
    tiled = dataclasses.replace(PROTOCOLS["deeplab_v3"], tile_size=513).to_dict()
    assert (tiled["name"], tiled["flip"], tiled["tile_size"]) == ("deeplab_v3", True, 513)


@pytest.mark.parametrize(
    "values",
    [
        {"scales": ()},
        {"scales": (0,)},
        {"scales": 0.5},
        {"scales": (float("nan"),)},
        {"short_sides": (-1,)},
        {"short_sides": (300.5,)},
        {"max_long_side": None},
        {"size_divisor": 0},
        {"size_divisor": 1.5},
        {"tile_size": -1},
    ],
)
def test_bad_protocol(values):
    (name,) = values
    with pytest.raises(TfsegError, match=f"`{name}` must be (positive|at least|a whole number)"):
        Protocol(**values)


def test_sizes_are_of_one_kind():
    with pytest.raises(TfsegError, match="not both"):
        Protocol(scales=(0.5,), short_sides=(300,))


@pytest.mark.parametrize("protocol", [ADE20K, pytest.param(SCALES, marks=pytest.mark.slow)])
def test_two_replicas_count_the_same_and_hand_over_every_prediction(
    protocol, image_list, weights, two_replicas
):
    options = {"protocol": protocol, "label_map": LABEL_MAP}
    found, matrices = [], []
    for strategy in (None, two_replicas):
        predictions = []
        evaluator = Evaluator(
            build(weights, strategy), Preprocessing(), strategy=strategy, **options
        )
        matrices.append(evaluator(image_list, on_prediction=predictions.append))
        assert evaluator._step.experimental_get_tracing_count() == 1
        found.append({one.index: one for one in predictions})
    np.testing.assert_array_equal(*matrices)
    total = 0
    for index in range(len(SIZES)):
        one, two = found[0][index], found[1][index]
        image, truth = read(image_list, index)
        assert one.labels.dtype == one.truth.dtype == np.uint8
        np.testing.assert_array_equal(one.labels, two.labels)
        np.testing.assert_array_equal(one.image, image)
        np.testing.assert_array_equal(one.truth, truth)
        own = confusion_matrix(truth, one.labels, CLASSES).numpy()
        np.testing.assert_array_equal(one.matrix, own)
        np.testing.assert_array_equal(two.matrix, own)
        total += own
    assert set(found[1]) == set(range(len(SIZES)))
    np.testing.assert_array_equal(matrices[0], total)
    assert (total.sum(axis=0) > 0).sum() > 1  # more than one class was predicted


def test_panels_show_image_truth_and_prediction(image_list, tmp_path):
    palette = [[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]]
    truth = Truth(image_list, CLASSES, LABEL_MAP)
    with PanelWriter(image_list, tmp_path, palette, threads=2) as write:
        for index, size in enumerate(SIZES):
            write(truth.predicted(index, np.full(size, 1, np.uint8)))
    for index, size in enumerate(SIZES):
        picture = np.asarray(Image.open(tmp_path / f"image{index}.png"))
        gap = 6
        # A legend follows.
        assert picture.shape[0] > size[0] + 24 + gap and picture.shape[1] >= 3 * size[1] + 4 * gap
        shown = [
            picture[24 : 24 + size[0], gap + k * (size[1] + gap) :][:, : size[1]].astype(int)
            for k in range(3)
        ]
        image, truth = read(image_list, index)
        np.testing.assert_array_equal(shown[0], image)
        for label, colour in enumerate(palette):
            assert (shown[1][truth == label] == colour).all()
        assert (shown[1][truth == 255] > 180).all()
        assert (shown[2] == palette[1]).all()


def test_panels_of_absolute_names_stay_in_their_folder(image_list, tmp_path):
    (tmp_path / "data").mkdir()
    for kind, paths in (("images", image_list.images), ("labels", image_list.labels)):
        text = "".join(f"/{path}\n" for path in paths)
        (tmp_path / "data" / f"val_{kind}.txt").write_text(text)
    before = [open(path, "rb").read() for path in image_list.images]  # noqa: SIM115
    found = read_split(tmp_path / "data", "val")
    truth = Truth(found, CLASSES, LABEL_MAP)
    predicted = truth.predicted(0, np.ones(SIZES[0], np.uint8))
    with PanelWriter(found, tmp_path / "out", [[0, 0, 0]] * CLASSES) as write:
        write(predicted)
    (written,) = (tmp_path / "out").rglob("*.png")
    assert written == tmp_path / "out" / image_list.images[0][1:]
    # The folder of the images is no place for them.
    with (
        pytest.raises(TfsegError, match=r"image0.png is one of the files that are read"),
        PanelWriter(image_list, image_list.root, [[0, 0, 0]] * CLASSES) as write,
    ):
        write(predicted)
    assert [open(path, "rb").read() for path in image_list.images] == before  # noqa: SIM115


def test_panels_tell_of_a_full_disk(image_list, tmp_path, monkeypatch):
    def full(*_):
        raise TfsegError("No space left")

    monkeypatch.setattr(PanelWriter, "_write", full)
    writer = PanelWriter(image_list, tmp_path, [[0, 0, 0]] * CLASSES)
    with pytest.raises(TfsegError, match="No space"), writer as write:
        write(None)


def test_means_over_all_classes():
    matrix = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
    values = scores(matrix, absent_classes="zero")
    assert values["mean_iou"] == pytest.approx((3 / 6 + 4 / 7) / 3)
    assert values["mean_accuracy"] == pytest.approx((3 / 4 + 4 / 6) / 3)
    assert values["overall_score"] == pytest.approx((values["mean_iou"] + 0.7) / 2)
    assert values["iou"][2] is None
    metrics = summary.metrics(matrix, None, {}, "zero")
    assert metrics["scores"]["overall_score"] == values["overall_score"]
    assert "count 0" in metrics["protocol"]["counted_classes"]


def test_shares_of_an_image():
    labels = np.array([[2, 2, 2], [0, 2, 0]], np.uint8)
    shares = summary.class_shares(labels, ["sky", "road", "car"])
    assert shares == [("car", pytest.approx(4 / 6)), ("sky", pytest.approx(2 / 6))]
    assert summary.class_shares(labels)[0][0] == "class 2"
