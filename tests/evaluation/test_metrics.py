"""Metrics by hand, by brute force, and as other programs compute them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfseg.errors import TfsegError
from tfseg.evaluation import confusion_matrix, scores
from tfseg.evaluation.confusion import count_pairs
from tfseg.evaluation.measures import VOID, Maps, measure
from tfseg.evaluation.metrics import MEASURES, METRICS, Settings, explain
from tfseg.evaluation.records import Records


def judged(pairs, settings, probabilities=None, names=None):
    """Records of pairs of true and predicted maps."""
    names = names or [
        name
        for name, row in MEASURES.items()
        if row.needs == "labels"
        or (row.needs == "categories" and settings.categories)
        or (row.needs == "probabilities" and probabilities is not None)
    ]
    records = Records.empty(map(str, range(len(pairs))), settings, names)
    for index, (truth, labels) in enumerate(pairs):
        maps = Maps(np.uint8(truth), np.uint8(labels), probabilities)
        records.put(index, measure(maps, settings, names))
    return records


def test_three_cases_by_hand():
    """Half a class missed; a class that is nowhere; a pixel that got no class."""
    records = judged([([[0, 0, 1, 1]], [[0, 0, 1, 0]])], Settings(3))
    assert records.value("iou")[:2].tolist() == [2 / 3, 1 / 2]
    assert np.isnan(records.value("iou")[2])
    assert records.value("mean_iou") == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert records.value("micro_iou") == pytest.approx(3 / 5)
    assert records.value("precision")[:2].tolist() == [2 / 3, 1]
    assert records.value("accuracy")[:2].tolist() == [1, 1 / 2]
    assert records.value("mean_f1") == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert records.value("frequency_weighted_iou") == pytest.approx((2 / 3 + 1 / 2) / 2)

    zero = judged([([[0, 0, 1, 1]], [[0, 0, 1, 0]])], Settings(3))
    zero.facts["absent_classes"] = "zero"
    assert zero.value("mean_iou") == pytest.approx((2 / 3 + 1 / 2) / 3)

    lost = judged([([[0, 1, VOID]], [[0, VOID, 0]]), ([[1]], [[1]])], Settings(2))
    assert lost.value("iou").tolist() == [1, 1 / 2]
    assert lost.value("pixel_accuracy") == pytest.approx(2 / 3)
    assert lost.value("mean_iou_per_image") == pytest.approx((1 / 2 + 1) / 2)
    assert lost.matrix().tolist() == [[1, 0, 0], [0, 1, 1]]


def test_a_table_row_for_each_function():
    assert all(callable(row.load()) for row in (*METRICS.values(), *MEASURES.values()))
    assert {row.measure for row in METRICS.values()} <= set(MEASURES)
    for name, row in METRICS.items():
        assert f"{row.formula} ({row.paper})" in explain() and name in explain()


def test_judging_needs_no_tensorflow():
    script = (
        "import sys, tfseg.evaluation.judge\n"
        "from tfseg.evaluation.metrics import METRICS\n"
        "[row.load() for row in METRICS.values()]\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


MAP = arrays.arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, VOID]))


@given(MAP, arrays.arrays(np.uint8, (6, 7), elements=st.integers(0, 2)))
def test_both_confusion_matrices_are_equal(truth, labels):
    ours = count_pairs(truth, labels, 3)
    assert not ours[:, 3].any()
    assert np.array_equal(ours[:, :3], confusion_matrix(truth, labels, 3))
    values, records = scores(ours), judged([(truth, labels)], Settings(3))
    for name in ("mean_iou", "pixel_accuracy", "mean_accuracy", "overall_score"):
        expected = np.nan if values[name] is None else values[name]
        assert records.value(name) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def _plain_boundary_iou(truth, labels, index, width):
    """As in the paper: the pixels of each mask within `width` of its contour, pixel by pixel."""

    def band(mask):
        padded = np.pad(mask, width)
        rows = [
            [
                mask[r, c] and not padded[r : r + 2 * width + 1, c : c + 2 * width + 1].all()
                for c in range(mask.shape[1])
            ]
            for r in range(mask.shape[0])
        ]
        return np.array(rows)

    true, found = band(truth == index), band(labels == index)
    return (true & found).sum() / (true | found).sum() if (true | found).any() else np.nan


@given(arrays.arrays(np.uint8, (9, 12), elements=st.integers(0, 2)), MAP, st.integers(1, 3))
def test_boundary_iou_is_the_papers(truth, corner, width):
    labels = truth.copy()
    labels[:6, :7] = np.where(corner == VOID, 0, corner)
    settings = Settings(3, boundary_ratio=width / np.hypot(9, 12))
    found = judged([(truth, labels)], settings).value("boundary_iou")
    expected = [_plain_boundary_iou(truth, labels, index, width) for index in range(3)]
    np.testing.assert_allclose(found, expected)


def test_boundary_f_by_hand():
    truth, labels = np.zeros((2, 20, 20), np.uint8)
    truth[:, 10:], labels[:, 12:] = 1, 1  # the edge of class 1 is two columns off
    for tolerance, expected in ((1, 0.0), (2, 1.0)):
        settings = Settings(2, contour_ratio=tolerance / np.hypot(20, 20))
        assert judged([(truth, labels)], settings).value("boundary_f")[1] == expected


def test_trimap_is_the_mean_iou_of_a_band():
    truth, labels = np.zeros((2, 8, 40), np.uint8)
    truth[:, 20:], labels[:, 21:] = 1, 1
    curve = judged([(truth, labels)], Settings(2, trimap_widths=(1, 4))).value("trimap_iou")
    assert curve.tolist() == pytest.approx([(1 / 2 + 0) / 2, (4 / 5 + 3 / 4) / 2])


def test_equal_to_the_cityscapes_evaluation(golden):
    said = golden("outside_judges")
    names = said["category_names"].tolist()
    categories = tuple(names.index(name) for name in said["categories"])
    maps = (said["train_ids"][said[name]] for name in ("truth", "found"))
    pairs = list(zip(*maps, strict=True))
    records = judged(pairs, Settings(19, categories=categories))
    np.testing.assert_allclose(records.value("iou"), said["class_scores"], rtol=1e-14)
    found = records.value("category_iou")
    np.testing.assert_allclose(found, said["category_scores"][: len(found)], rtol=1e-14)
    means = [records.value("mean_iou"), records.value("mean_category_iou")]
    np.testing.assert_allclose(means, said["averages"], rtol=1e-14)


def test_equal_to_torchmetrics(golden):
    """To float32, in which it computes."""
    said = golden("outside_judges")
    pairs = list(zip(said["train_ids"][said["truth"]], said["labels"], strict=True))
    records = judged(pairs, Settings(19))
    for ours, theirs in (
        ("iou", "jaccard_none"),
        ("mean_iou", "jaccard_macro"),
        ("micro_iou", "jaccard_micro"),
        ("f1", "f1_none"),
        ("mean_f1", "f1_macro"),
        ("pixel_accuracy", "f1_micro"),
        ("precision", "precision_none"),
        ("accuracy", "recall_none"),
        ("mean_accuracy", "recall_macro"),
        ("pixel_accuracy", "recall_micro"),
    ):
        np.testing.assert_allclose(records.value(ours), said[f"torch_{theirs}"], rtol=3e-7)
    probabilities = said["probabilities"].astype(np.float32)
    truth = said["train_ids"][said["truth"][0, :24, :32]]
    records = judged([(truth, probabilities.argmax(-1))], Settings(19), probabilities)
    error = records.value("expected_calibration_error")
    np.testing.assert_allclose(error, said["calibration"], rtol=3e-6)


@pytest.fixture(scope="module")
def records_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / "images.npz"
    pairs = np.random.default_rng(0).integers(0, 4, (30, 2, 16, 16))
    judged(pairs, Settings(4)).save(path)
    return path


@given(place=st.integers(0), flip=st.integers(1, 255))
def test_any_damage_of_records_is_one_line(records_file, tmp_path_factory, place, flip):
    content = bytearray(records_file.read_bytes())
    content[place % len(content)] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    try:
        Records.load(path)
    except TfsegError as error:
        assert str(error).startswith(f"{path} is ")


def test_records_come_back_and_add_up(tmp_path):
    generator = np.random.default_rng(0)
    pairs = generator.integers(0, 4, (5, 2, 6, 8))
    records = judged(pairs, Settings(4, categories=(0, 0, 1, 1)))
    records.facts = {"split": "val"}
    records.rows[3] = None
    records.save(tmp_path / "images.npz")
    back = Records.load(tmp_path / "images.npz")
    assert (back.names, back.settings, back.facts) == (
        records.names,
        records.settings,
        records.facts,
    )
    assert not back.whole and back.picked([0, 1, 2, 4]).whole
    weights = generator.integers(0, 3, (7, 5))
    for name in records.measures:
        dense = records.dense(name)
        np.testing.assert_array_equal(back.dense(name), dense)
        np.testing.assert_allclose(back.total(name, weights), np.tensordot(weights, dense, 1))
