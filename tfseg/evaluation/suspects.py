"""Masks that are likely wrong: where a model is sure of another class than the label's.

By the self-confidence of each pixel, the probability of the class that its label says (Northcutt et
al., 2021). Pixels become regions here, since people draw regions wrongly, and outlines never
exactly.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tfseg.evaluation.measures import VOID
from tfseg.evaluation.regions import components, near_change

# Around outlines, labels and models are off by some pixels without being wrong.
_RIM = 2
_SMALLEST = 20
# Added to probabilities: beyond a thousandth they say nothing.
_LEAST = 1e-3


@dataclasses.dataclass(frozen=True)
class Suspect:
    """A region whose label may be wrong.

    Attributes:
        image: the image's name.
        given: the class that its label says.
        suggested: the class that the model sees in most of it.
        box: (left, top, right, bottom) in pixels; right and bottom are the first outside.
        pixels: how many the region has.
        place: (column, row) of one that lies in it.
        confidence: mean probability of what the model sees, 0..1.
        self_confidence: mean probability of the given class, 0..1.
        score: by which suspects are ordered; the largest first.
    """

    image: str
    given: int
    suggested: int
    box: tuple[int, int, int, int]
    pixels: int
    place: tuple[int, int]
    confidence: float
    self_confidence: float
    score: float


def find_suspects(image: str, truth: np.ndarray, probabilities: np.ndarray) -> list[Suspect]:
    """The suspects of an image, in no order.

    A region is a connected part of one given class where others are likelier. Its score is the log
    of how many times likelier, summed over the pixels that aren't at its rim: a thin seam along an
    outline has none.

    Args:
        image: its name.
        truth: uint8 [H, W]: classes, and 255 for pixels that don't count.
        probabilities: float [H, W, C].
    """
    found = probabilities.argmax(-1)
    sure = (truth != VOID) & (found != truth)
    if not sure.any():
        return []
    best, own = (_taken(probabilities, one) for one in (found, np.where(sure, truth, 0)))
    odds = np.log((best + _LEAST) / (own + _LEAST))
    return _regions(image, truth, found, sure, best, own, odds)


def find_mistakes(image: str, truth: np.ndarray, labels: np.ndarray) -> list[Suspect]:
    """The regions that a prediction gets wrong, scored by their pixels that aren't at the rim.

    Args:
        image: its name.
        truth: uint8 [H, W]: classes, and 255 for pixels that don't count.
        labels: uint8 [H, W]: the prediction.
    """
    wrong = (truth != VOID) & (labels != truth)
    if not wrong.any():
        return []
    one, none = np.ones(truth.shape), np.zeros(truth.shape)
    return _regions(image, truth, labels, wrong, one, none, one)


def _taken(probabilities, classes):
    """The probability of each pixel's class of a map, float64 [H, W]."""
    return np.take_along_axis(probabilities, classes[..., None].astype(np.int64), -1)[
        ..., 0
    ].astype(np.float64)


def _regions(image, truth, found, sure, best, own, weight):
    """Suspects of the connected parts of `sure` that are of one given class."""
    kinds = np.where(sure, 1 + truth.astype(np.int64), 0)
    number = components(kinds)
    margin = np.where(sure & ~near_change(number, _RIM), weight, 0)
    count = int(number.max()) + 1
    flat = number.ravel()
    pixels = np.bincount(flat, minlength=count)
    score, confidence, self_confidence = (
        np.bincount(flat, one.ravel(), count) for one in (margin, best, own)
    )
    # Sorted by region, so that each one's pixels are a stretch.
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(pixels)
    result = []
    for index in np.flatnonzero((score > 0) & (pixels >= _SMALLEST)).tolist():
        places = order[ends[index] - pixels[index] : ends[index]]
        rows, columns = np.divmod(places, truth.shape[1])
        middle = rows[len(rows) // 2], columns[len(rows) // 2]
        result.append(
            Suspect(
                image=image,
                given=int(truth[middle]),
                suggested=int(np.bincount(found.ravel()[places]).argmax()),
                box=(
                    *(int(columns.min()), int(rows.min())),
                    *(int(columns.max()) + 1, int(rows.max()) + 1),
                ),
                pixels=len(rows),
                place=(int(middle[1]), int(middle[0])),
                confidence=float(confidence[index] / len(rows)),
                self_confidence=float(self_confidence[index] / len(rows)),
                score=float(score[index]),
            )
        )
    return result


def ranked(suspects: Iterable[Suspect], count: int | None = None) -> list[Suspect]:
    """The suspects with the largest scores, the largest first."""
    return sorted(suspects, key=lambda one: (-one.score, one.image, one.place))[:count]
