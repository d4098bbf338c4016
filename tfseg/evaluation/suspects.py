"""Masks that are likely wrong: where a model is sure of another class than the label's.

After confident learning (Northcutt et al., 2021, section 3.1): a model is sure of a class where it
gives it at least the probability that it gives it on average where the labels say it. Pixels
become regions here, since people draw regions wrongly, and outlines never exactly.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tfseg.evaluation.measures import VOID
from tfseg.evaluation.regions import components, near_change

# Around outlines, labels and models are off by some pixels without being wrong.
_RIM = 2
_SMALLEST = 20


@dataclasses.dataclass(frozen=True)
class Suspect:
    """A region whose label may be wrong.

    Attributes:
        image: the image's name.
        given: the class that its label says.
        suggested: the class that the model is sure of.
        box: (left, top, right, bottom) in pixels; right and bottom are the first outside.
        pixels: how many the region has.
        place: (column, row) of one that lies in it.
        confidence: mean probability of the suggested class, 0..1.
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


class Thresholds:
    """The mean self-confidence of each class, gathered image by image.

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int):
        self._sum, self._count = np.zeros([2, num_classes])

    def add(self, truth: np.ndarray, probabilities: np.ndarray) -> None:
        """Takes an image: uint8 [H, W] with 255 for what doesn't count, and [H, W, C]."""
        valid = truth != VOID
        classes = truth[valid]
        own = np.take_along_axis(probabilities[valid], classes[:, None].astype(np.int64), 1)[:, 0]
        size = len(self._sum)
        self._sum += np.bincount(classes, own, size)
        self._count += np.bincount(classes, minlength=size)

    def merge(self, other: "Thresholds") -> None:
        """Takes what another has gathered."""
        self._sum += other._sum
        self._count += other._count

    def values(self) -> np.ndarray:
        """float64 [C]; 1 for classes that no label has: nothing is suspected to be one."""
        return np.divide(self._sum, self._count, out=np.ones_like(self._sum), where=self._count > 0)


def find_suspects(
    image: str, truth: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray
) -> list[Suspect]:
    """The suspects of an image, in no order.

    A region is connected, of one given and one suggested class. Its score is the margin of the
    suggested over the given class, summed over the pixels that aren't at its rim: a thin seam
    along an outline has none.

    Args:
        image: its name.
        truth: uint8 [H, W]: classes, and 255 for pixels that don't count.
        probabilities: float [H, W, C].
        thresholds: of each class, [C]; see `Thresholds`.
    """
    found = probabilities.argmax(-1)
    best = _taken(probabilities, found)
    sure = (truth != VOID) & (found != truth) & (best >= thresholds[found])
    if not sure.any():
        return []
    own = _taken(probabilities, np.where(sure, truth, 0))
    return _regions(image, truth, found, sure, best, own)


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
    return _regions(image, truth, labels, wrong, np.ones(truth.shape), np.zeros(truth.shape))


def _taken(probabilities, classes):
    """The probability of each pixel's class of a map, float64 [H, W]."""
    return np.take_along_axis(probabilities, classes[..., None].astype(np.int64), -1)[
        ..., 0
    ].astype(np.float64)


def _regions(image, truth, found, sure, best, own):
    """Suspects of the connected parts of `sure` that are of one given and one found class."""
    kinds = np.where(sure, 1 + truth.astype(np.int64) * 256 + found, 0)
    number = components(kinds)
    margin = np.where(sure & ~near_change(number, _RIM), best - own, 0)
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
                suggested=int(found[middle]),
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
