"""The public metrics, of arrays and in Keras' loops."""

import pathlib

import keras
import numpy as np
import pytest

import tfseg
from tfseg.errors import TfsegError
from tfseg.evaluation.confusion import count_pairs
from tfseg.layers import resize

TRUTH = np.uint8([[0, 0, 1], [2, 255, 1]])
FOUND = np.uint8([[0, 1, 1], [2, 0, 255]])


def test_arrays_by_hand():
    """Classes 0, 1, 2: right 1, 1, 1; true 2, 2, 1; predicted 1, 2, 1; one pixel got none."""
    records = tfseg.metrics.measure([(TRUTH, FOUND)], 4)
    values = records.values(["mean_iou", "pixel_accuracy", "micro_iou"])
    assert values["mean_iou"] == pytest.approx((1 / 2 + 1 / 3 + 1) / 3)
    assert values["pixel_accuracy"] == pytest.approx(3 / 5)
    assert values["micro_iou"] == pytest.approx(3 / 6)
    assert tfseg.metrics.measure([(TRUTH, FOUND)], 4, absent_classes="zero").value(
        "mean_iou"
    ) == pytest.approx((1 / 2 + 1 / 3 + 1) / 4)


def test_arrays_as_any_integers_and_as_probabilities():
    truth = np.where(TRUTH == 255, -1, TRUTH.astype(np.int64))
    found = np.where(FOUND == 255, -1, FOUND.astype(np.int64))
    records = tfseg.metrics.measure([(truth, found)], 3, ignore_label=-1)
    assert (records.matrix() == count_pairs(TRUTH, FOUND, 3)).all()
    chances = np.eye(3)[np.minimum(FOUND, 2)]
    records = tfseg.metrics.measure([(TRUTH, chances)], 3, metrics=["expected_calibration_error"])
    assert records.value("expected_calibration_error") == pytest.approx(2 / 5)


def test_intervals_and_comparisons_of_arrays():
    generator = np.random.default_rng(0)
    truths = generator.integers(0, 3, (6, 8, 9)).astype(np.uint8)
    worse = [(one, np.where(generator.random(one.shape) < 0.4, 0, one)) for one in truths]
    first = tfseg.metrics.measure(zip(truths, truths, strict=True), 3, metrics=["mean_iou"])
    second = tfseg.metrics.measure(worse, 3, metrics=["mean_iou"])
    entry = tfseg.metrics.summarize(second)["scores"]["mean_iou"]
    assert entry["low"] < entry["value"] < entry["high"] < 1
    contestants = [
        tfseg.metrics.Contestant(name, {name: one}) for name, one in (("a", first), ("b", second))
    ]
    (difference,) = tfseg.metrics.compare(contestants)["scores"]["mean_iou"]["differences"]
    assert difference["sure"] and difference["value"] == pytest.approx(entry["value"] - 1)


@pytest.mark.parametrize(
    ("pairs", "options", "message"),
    [
        ([(TRUTH, FOUND[:1])], {}, "shapes"),
        ([(TRUTH, FOUND)], {"num_classes": 2}, "has the value 2; allowed are 0..1 and 255"),
        ([(TRUTH, FOUND / 2)], {}, "of the type float64"),
        ([(TRUTH, FOUND)], {"metrics": ["reliability"]}, "needs probabilities"),
        ([(TRUTH, FOUND)], {"names": ["a", "b"]}, "2 names for 1 image"),
    ],
)
def test_arrays_that_cant_be_measured(pairs, options, message):
    with pytest.raises(TfsegError, match=message):
        tfseg.metrics.measure(pairs, **{"num_classes": 3, **options})


@pytest.mark.parametrize("absent_classes", ["skip", "truth", "zero"])
def test_keras_metric_is_the_score_of_all_batches(absent_classes):
    generator = np.random.default_rng(0)
    metric = tfseg.metrics.MeanIoU(5, absent_classes=absent_classes)
    total = np.zeros((5, 5), np.int64)
    for _ in range(3):
        truth = generator.choice([0, 1, 2, 255], (2, 6, 7)).astype(np.uint8)
        logits = generator.normal(size=(2, 3, 4, 5)).astype(np.float32)
        logits[..., 4] = -9
        metric.update_state(truth, logits)
        labels = np.argmax(resize(logits, (6, 7)), -1).astype(np.uint8)
        total += count_pairs(truth, labels, 5)[:, :-1]
    np.testing.assert_array_equal(metric.matrix(), total)
    expected = tfseg.metrics.scores(total, absent_classes=absent_classes)
    assert float(metric.result()) == pytest.approx(expected["mean_iou"], rel=1e-6)
    assert metric.scores() == expected
    metric.reset_state()
    metric.update_state(truth, labels)  # label maps as well
    assert metric.matrix().sum() == (truth != 255).sum()


def test_keras_metric_in_fit():
    """Compiled, with the graph's own sizes, and back from its configuration."""
    images = keras.Input((None, None, 3))
    model = keras.Model(images, {"logits": keras.layers.Conv2D(3, 1, strides=2)(images)})
    metric = tfseg.metrics.MeanIoU.from_config(tfseg.metrics.MeanIoU(3).get_config())

    def loss(labels, logits):
        return keras.ops.mean(logits**2)

    model.compile("sgd", loss={"logits": loss}, metrics={"logits": metric})
    data = np.random.default_rng(0).normal(size=(4, 8, 6, 3)).astype(np.float32)
    labels = np.full((4, 8, 6), 255)
    labels[:, 2:] = 1
    found = model.evaluate(data, {"logits": labels}, batch_size=2, verbose=0, return_dict=True)
    expected = np.argmax(resize(model.predict(data, verbose=0)["logits"], (8, 6)), -1)
    matrix = count_pairs(labels.astype(np.uint8), expected.astype(np.uint8), 3)[:, :-1]
    name = next(name for name in found if name.endswith("mean_iou"))
    assert found[name] == pytest.approx(tfseg.metrics.scores(matrix)["mean_iou"], abs=1e-6)
    with pytest.raises(ValueError, match="sample_weight"):
        metric.update_state(labels, expected, np.ones(4))


def test_every_metric_is_documented():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "judge.md").read_text(encoding="utf-8")
    for name, row in tfseg.metrics.METRICS.items():
        formula = row.formula.replace("|", "\\|")
        assert any(
            line.startswith(f"| `{name}` |") and formula in line and row.paper in line
            for line in page.splitlines()
        ), name
        paper = row.paper.partition(",")[0]
        assert f"| {paper}, " in page.partition("## Papers")[2], paper
