"""Neighbourhoods and connected regions of label maps, in NumPy alone."""

import math

import numpy as np


def _windows(function, values, size):
    """The minimum or maximum of each `size` neighbours of a row, [H, W - size + 1].

    Windows double, so that it takes the logarithm of their size in passes over the map.
    """
    width = 1
    while width < size:
        step = min(width, size - width)
        values = function(values[:, :-step], values[:, step:])
        width += step
    return values


def _square(function, values, radius):
    """The minimum or maximum over a square window; beyond the map, its edge."""
    values = np.pad(values, radius, mode="edge")
    return _windows(function, _windows(function, values, 2 * radius + 1).T, 2 * radius + 1).T


def near_change(labels: np.ndarray, radius: int, border: bool = False) -> np.ndarray:
    """Where a square of 2 * radius + 1 pixels around a pixel holds more than one value.

    With `border`, what lies outside of the map is another value, as for an erosion of each value's
    mask by a 3x3 square, `radius` times: what the erosion takes away is true.

    Args:
        labels: integers [H, W].
        radius: in pixels, 1 or more.
        border: whether the map's edge is a change.

    Returns:
        bool [H, W].
    """
    near = _square(np.minimum, labels, radius) != _square(np.maximum, labels, radius)
    if border:
        for edge in (near, near.T):
            edge[:radius] = edge[-radius:] = True
    return near


def within(mask: np.ndarray, radius: float) -> np.ndarray:
    """Where a true pixel lies at a Euclidean distance of at most `radius`; bool [H, W]."""
    if not mask.any():
        return mask.copy()
    # Square roots of sums of squares are rounded: a distance of exactly the radius counts.
    radius += 1e-9
    reach = math.floor(radius)
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    top, left = max(rows[0] - reach, 0), max(columns[0] - reach, 0)
    area = np.s_[top : rows[-1] + reach + 1, left : columns[-1] + reach + 1]
    # Zeros around it, so that shifting needs no cases.
    part = np.pad(mask[area], reach)
    near = np.zeros_like(mask[area])
    for down in range(reach + 1):
        half = math.floor(math.sqrt(radius**2 - down**2))
        sides = slice(reach - half, part.shape[1] - reach + half)
        wide = _windows(np.logical_or, part[:, sides], 2 * half + 1)
        for shift in {down, -down}:
            near |= wide[reach + shift : reach + shift + len(near)]
    result = np.zeros_like(mask)
    result[area] = near
    return result


def inner_edge(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask beside one, of the four nearest, that isn't in it; bool [H, W].

    What lies outside of the map is as its edge: an object that leaves the picture ends there for
    the picture alone.
    """
    edge = np.zeros_like(mask)
    for one, into in ((mask, edge), (mask.T, edge.T)):
        change = one[1:] != one[:-1]
        into[1:] |= change
        into[:-1] |= change
    return edge & mask


def components(values: np.ndarray) -> np.ndarray:
    """Numbers of the connected regions of equal value: int32 [H, W], from 0 on, without a gap.

    Pixels are connected to the four nearest. Runs of the rows are joined, not pixels.

    Args:
        values: integers [H, W].
    """
    height, width = values.shape
    starts = np.ones((height, width), bool)
    starts[:, 1:] = values[:, 1:] != values[:, :-1]
    run = (np.cumsum(starts.ravel()) - 1).reshape(height, width)
    same = values[1:] == values[:-1]
    # One pair for each stretch that two runs have in common.
    pairs = np.stack([run[:-1][same], run[1:][same]], 1)
    if len(pairs):
        keep = np.ones(len(pairs), bool)
        keep[1:] = (pairs[1:] != pairs[:-1]).any(1)
        pairs = pairs[keep]
    root = _join(int(run[-1, -1]) + 1, pairs)
    return np.unique(root, return_inverse=True)[1].astype(np.int32).reshape(-1)[run]


def _join(count, pairs):
    """The smallest member of each number's set, where `pairs` are in one set: int64 [count]."""
    root = np.arange(count)
    while len(pairs):
        ends = root[pairs]
        ends = ends[ends[:, 0] != ends[:, 1]]
        if not len(ends):
            return root
        low, high = ends.min(1), ends.max(1)
        np.minimum.at(root, high, low)
        # Every number takes its root's root, until nothing changes.
        while True:
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
        pairs = np.stack([low, high], 1)
    return root
