"""The numbers of one image that metrics are made from; see `tfseg.evaluation.metrics`."""

import dataclasses
import functools
import math

import numpy as np

from tfseg.evaluation import metric_functions, regions
from tfseg.evaluation.confusion import count_pairs
from tfseg.evaluation.metrics import MEASURES, Settings

VOID = 255


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """What is known of one image.

    Attributes:
        truth: uint8 [H, W]: classes, and 255 for pixels that don't count.
        labels: uint8 [H, W], the prediction: classes, and 255 for pixels without one.
        probabilities: float [H, W, C], or None.
    """

    truth: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None = None

    @functools.cached_property
    def cut(self) -> np.ndarray:
        """The prediction without the pixels that don't count: their outline is no boundary of
        one map alone."""
        return np.where(self.truth == VOID, VOID, self.labels).astype(np.uint8)

    @property
    def diagonal(self) -> float:
        """In pixels."""
        return math.hypot(*self.truth.shape)


def measure(maps: Maps, settings: Settings, names: tuple[str, ...]) -> np.ndarray:
    """The arrays of the measures `names` of an image, flat and one after the other: float64 [K]."""
    return np.concatenate(
        [np.ravel(MEASURES.find(name).load()(maps, settings)).astype(np.float64) for name in names]
    )


def confusion(maps: Maps, settings: Settings) -> np.ndarray:
    return count_pairs(maps.truth, maps.labels, settings.num_classes)


def counts(maps: Maps, settings: Settings) -> np.ndarray:
    return _counts(maps.truth, maps.cut, settings.num_classes)


def _counts(truth, labels, classes):
    """Pixels of each class: right, true, predicted; int64 [3, C]. 255 is no class."""
    right = truth[truth == labels]
    return np.stack(
        [np.bincount(x.ravel(), minlength=256)[:classes] for x in (right, truth, labels)]
    )


def image(maps: Maps, settings: Settings) -> np.ndarray:
    value = metric_functions.mean_iou(counts(maps, settings))
    return np.array([0.0, 0.0] if np.isnan(value) else [value, 1.0])


def categories(maps: Maps, settings: Settings) -> np.ndarray:
    table = np.full(256, VOID, np.uint8)
    table[: settings.num_classes] = settings.categories
    return _counts(table[maps.truth], table[maps.cut], settings.num_categories)


def boundary(maps: Maps, settings: Settings) -> np.ndarray:
    """With a band as wide as in the paper's code: at least one pixel; the image's edge, and the
    outline of what doesn't count, are boundaries."""
    width = max(1, round(settings.boundary_ratio * maps.diagonal))
    truth, labels = (
        np.where(regions.near_change(one, min(width, *one.shape), border=True), one, VOID)
        for one in (maps.truth, maps.cut)
    )
    return _counts(truth, labels, settings.num_classes)


def contours(maps: Maps, settings: Settings) -> np.ndarray:
    reach = max(1.0, settings.contour_ratio * maps.diagonal)
    result = np.zeros([2, settings.num_classes])
    for index in np.union1d(maps.truth, maps.cut):
        if index == VOID:
            continue
        true, found = (regions.inner_edge(one == index) for one in (maps.truth, maps.cut))
        total = true.sum() + found.sum()
        if not total:  # one class fills both maps
            continue
        result[1, index] = 1
        if true.any() and found.any():
            precise = (found & regions.within(true, reach)).sum() / found.sum()
            recalled = (true & regions.within(found, reach)).sum() / true.sum()
            if precise + recalled:
                result[0, index] = 2 * precise * recalled / (precise + recalled)
    return result


def trimap(maps: Maps, settings: Settings) -> np.ndarray:
    """Bands around every change of the true label map, also to what doesn't count, whose pixels
    are in none."""
    rows = []
    for width in settings.trimap_widths:
        near = regions.near_change(maps.truth, min(width, *maps.truth.shape))
        truth, labels = (np.where(near, one, VOID) for one in (maps.truth, maps.cut))
        rows.append(_counts(truth, labels, settings.num_classes))
    return np.stack(rows)


def calibration(maps: Maps, settings: Settings) -> np.ndarray:
    """Bins (0, 1/M], (1/M, 2/M], … of the highest probability."""
    valid = maps.truth != VOID
    confidence = maps.probabilities.max(-1)[valid].astype(np.float64)
    right = maps.labels[valid] == maps.truth[valid]
    bins = np.clip(np.ceil(confidence * settings.bins).astype(np.int64) - 1, 0, settings.bins - 1)
    return np.stack(
        [np.bincount(bins, weights, settings.bins) for weights in (None, confidence, right)]
    )
