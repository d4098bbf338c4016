import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfseg.evaluation import regions

MAPS = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 11)), elements=st.integers(0, 3)
)


def _window(labels, row, column, radius):
    return labels[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) :][
        :, : radius + 1 + min(column, radius)
    ]


@given(MAPS, st.integers(1, 4), st.booleans())
def test_near_change_is_what_an_erosion_takes_away(labels, radius, border):
    height, width = labels.shape
    found = regions.near_change(labels, radius, border)
    for row, column in np.ndindex(height, width):
        window = _window(labels, row, column, radius)
        outside = window.size < (2 * radius + 1) ** 2
        assert found[row, column] == ((window != labels[row, column]).any() or (border and outside))


@given(MAPS, st.floats(1, 5))
def test_within_is_euclidean(labels, radius):
    mask = labels == 1
    near = regions.within(mask, radius)
    points = np.argwhere(mask)
    for place in np.ndindex(mask.shape):
        distances = np.hypot(*(points - place).T)
        if len(points) == 0 or abs(distances.min() - radius) > 1e-6:
            assert near[place] == (distances <= radius).any()


@given(MAPS)
def test_inner_edge_by_hand(labels):
    mask = labels == 1
    edge = regions.inner_edge(mask)
    padded = np.pad(mask, 1, mode="edge")
    around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    np.testing.assert_array_equal(edge, mask & ~around)


def _flood(labels):
    """Regions one pixel at a time."""
    number = np.full(labels.shape, -1)
    count = 0
    for start in np.ndindex(labels.shape):
        if number[start] >= 0:
            continue
        stack, number[start] = [start], count
        while stack:
            row, column = stack.pop()
            for place in (
                (row + 1, column),
                (row - 1, column),
                (row, column + 1),
                (row, column - 1),
            ):
                if all(0 <= x < n for x, n in zip(place, labels.shape, strict=True)) and (
                    number[place] < 0 and labels[place] == labels[row, column]
                ):
                    number[place] = count
                    stack.append(place)
        count += 1
    return number


@given(MAPS)
def test_components_are_those_of_a_flood(labels):
    found, expected = regions.components(labels), _flood(labels)
    pairs = set(zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == found.max() + 1 == expected.max() + 1


@pytest.mark.parametrize("shape", [(40, 40), (1, 50)])
def test_components_of_a_spiral_are_one(shape):
    labels = np.zeros(shape, np.uint8)
    labels[1::4, :-1] = labels[3::4, 1:] = 1
    assert regions.components(labels).max() + 1 == _flood(labels).max() + 1
