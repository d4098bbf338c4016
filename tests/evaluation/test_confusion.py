import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.evaluation import confusion_matrix, scores

MATRIX = [[3, 1, 0], [2, 4, 0], [0, 0, 0]]


def test_matrix_by_hand():
    labels = tf.constant([[0, 0, 1], [2, 255, 1]], tf.int32)
    predictions = tf.constant([[0, 2, 1], [0, 1, 1]], tf.int32)
    matrix = confusion_matrix(labels, predictions, 3, ignore_label=255)
    assert matrix.dtype == tf.int64
    assert matrix.numpy().tolist() == [[1, 0, 1], [0, 2, 0], [1, 0, 0]]


def test_ignore_label_may_lie_among_the_classes():
    labels = tf.constant([0, 1, 1, 2], tf.uint8)
    predictions = tf.constant([0, 1, 0, 2], tf.int64)
    matrix = confusion_matrix(labels, predictions, 3, ignore_label=1)
    assert matrix.numpy().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_nothing_but_ignored_pixels_counts_nothing():
    labels = tf.fill([4, 5], 255)
    matrix = confusion_matrix(labels, tf.zeros_like(labels), 2)
    assert matrix.numpy().tolist() == [[0, 0], [0, 0]]
    values = scores(matrix.numpy())
    assert values["mean_iou"] is None and values["pixel_accuracy"] is None
    assert values["iou"] == [None, None]


def test_matrix_equals_a_plain_count_with_many_classes():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 150, (50, 40))
    predictions = generator.integers(0, 150, (50, 40))
    labels[:10] = 255
    expected = np.zeros((150, 150), np.int64)
    np.add.at(expected, (labels[10:], predictions[10:]), 1)
    matrix = confusion_matrix(tf.constant(labels), tf.constant(predictions), 150)
    assert np.array_equal(matrix, expected)


def test_scores_by_hand():
    values = scores(np.array(MATRIX), ["sky", "road", "never"])
    assert values["pixel_accuracy"] == pytest.approx(7 / 10)
    assert values["mean_accuracy"] == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert values["iou"][:2] == pytest.approx([3 / 6, 4 / 7])
    # The class in neither truth nor prediction has no score and doesn't lower the means.
    assert values["iou"][2] is None and values["accuracy"][2] is None
    assert values["mean_iou"] == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert values["frequency_weighted_iou"] == pytest.approx(0.4 * 3 / 6 + 0.6 * 4 / 7)
    assert values["classes"] == ["sky", "road", "never"]


def test_class_that_is_only_predicted_counts_as_zero_iou():
    values = scores(np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]]))
    assert values["iou"] == pytest.approx([3 / 4, 1, 0])
    assert values["accuracy"][2] is None
    assert values["mean_iou"] == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert values["mean_accuracy"] == pytest.approx((3 / 4 + 1) / 2)


def test_classes_of_the_truth_alone():
    # As DeepLab's PyTorch code has it: the third class is only predicted, the fourth nowhere.
    matrix = np.array([[3, 0, 1, 0], [0, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    values = scores(matrix, absent_classes="truth")
    assert values["mean_iou"] == pytest.approx((3 / 4 + 1) / 2)
    assert values["iou"][:3] == pytest.approx([3 / 4, 1, 0])


def test_scores_are_plain_numbers_and_exact_for_large_counts():
    matrix = np.array([[2**53, 1], [0, 2**53]], np.int64)
    values = scores(matrix)
    assert all(type(value) is float for value in values["iou"])
    assert type(values["mean_iou"]) is float


def test_another_rule_for_absent_classes_is_refused():
    for call in (
        lambda: scores([[1, 0], [0, 1]], absent_classes="zeros"),
        lambda: tfseg.metrics.measure([], 2, absent_classes="zeros"),
    ):
        with pytest.raises(tfseg.TfsegError, match="unknown absent_classes 'zeros'; did you mean"):
            call()
