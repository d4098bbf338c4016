import numpy as np
import pytest

from tfseg.evaluation.suspects import find_mistakes, find_suspects, ranked


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
    return ranked(find_suspects("x.png", truth, probabilities))


def test_outlines_are_not_suspected_and_wrong_masks_are(scene):
    right, probabilities = scene
    assert suspects(right, probabilities) == []
    wrong = right.copy()
    wrong[:20][right[:20] == 2] = 1
    (one,) = suspects(wrong, probabilities)
    assert (one.given, one.suggested) == (1, 2)
    assert one.box == (40, 5, 55, 15) and one.pixels == 150
    assert right[one.place[::-1]] == 2
    # The outline, which the model has a pixel to the right, is part of it.
    assert one.confidence == pytest.approx(0.9) and one.self_confidence == pytest.approx(0.05)
    # What doesn't count can't be wrong.
    wrong[:20][right[:20] == 2] = 255
    assert suspects(wrong, probabilities) == []


def test_the_surer_region_comes_first(scene):
    right, probabilities = scene
    wrong = right.copy()
    wrong[right == 2] = 1
    unsure = probabilities.copy()
    unsure[20:][right[20:] == 2] = (0.2, 0.35, 0.45)
    first, second = suspects(wrong, unsure)
    assert first.box[1] < 20 < second.box[1] and first.pixels < second.pixels


def test_mistakes_are_the_wrong_regions_the_largest_first():
    truth, labels = np.zeros((2, 30, 40), np.uint8)
    labels[2:12, 2:12] = 1
    labels[15:29, 20:38] = 2
    first, second = ranked(find_mistakes("x", truth, labels))
    assert (first.suggested, second.suggested) == (2, 1)
    assert first.pixels == 14 * 18 and first.score == 10 * 14
    assert ranked([second, first], 1) == [first]
