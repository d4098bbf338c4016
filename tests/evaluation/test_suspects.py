import numpy as np
import pytest

from tfseg.evaluation.suspects import Thresholds, find_mistakes, find_suspects, ranked


@pytest.fixture
def scene():
    """Squares of classes 1 and 2, and a model that is right but for their outlines."""
    right = np.zeros((40, 60), np.uint8)
    right[10:30, 10:30] = 1
    right[5:15, 40:55] = 2
    right[25:38, 40:55] = 2
    moved = np.roll(right, 1, 1)
    probabilities = 0.05 + 0.85 * np.eye(3)[moved]
    return right, probabilities.astype(np.float32)


def suspects(truth, probabilities):
    thresholds = Thresholds(3)
    thresholds.add(truth, probabilities)
    return ranked(find_suspects("x.png", truth, probabilities, thresholds.values()))


def test_outlines_are_not_suspected_and_wrong_masks_are(scene):
    right, probabilities = scene
    assert suspects(right, probabilities) == []
    wrong = right.copy()
    wrong[:20][right[:20] == 2] = 1
    (one,) = suspects(wrong, probabilities)
    assert (one.given, one.suggested) == (1, 2)
    assert one.box == (41, 5, 55, 15) and one.pixels == 140
    assert right[one.place[::-1]] == 2
    assert one.confidence == pytest.approx(0.9) and one.self_confidence == pytest.approx(0.05)
    # What doesn't count can't be wrong.
    wrong[:20][right[:20] == 2] = 255
    assert suspects(wrong, probabilities) == []


def test_thresholds_are_mean_self_confidences():
    truth = np.array([[0, 0, 1, 255]], np.uint8)
    probabilities = np.array([[[0.8, 0.2, 0], [0.6, 0.4, 0], [0.1, 0.9, 0], [0, 0, 1]]])
    thresholds = Thresholds(3)
    thresholds.add(truth, probabilities)
    assert thresholds.values().tolist() == pytest.approx([0.7, 0.9, 1])


def test_a_model_that_is_not_sure_suspects_nothing(scene):
    right, probabilities = scene
    wrong = right.copy()
    wrong[right == 2] = 1
    unsure = np.full_like(probabilities, 0.3)
    unsure[..., 2] = 0.4
    unsure[right == 0] = probabilities[right == 0]
    sure_of_two = np.array([0.9, 0.9, 0.9])
    assert find_suspects("x", wrong, unsure, sure_of_two) == []


def test_mistakes_are_the_wrong_regions_the_largest_first():
    truth, labels = np.zeros((2, 30, 40), np.uint8)
    labels[2:12, 2:12] = 1
    labels[15:29, 20:38] = 2
    first, second = ranked(find_mistakes("x", truth, labels))
    assert (first.suggested, second.suggested) == (2, 1)
    assert first.pixels == 14 * 18 and first.score == 10 * 14
    assert ranked([second, first], 1) == [first]
