"""The images of an evaluation that went best and worst, as pictures for a report."""

import heapq

import numpy as np

from tfseg import legends, visualize
from tfseg.evaluation.confusion import scores

_RIGHT, _WRONG, _UNCOUNTED = (236, 239, 241), (198, 40, 40), (176, 190, 197)


class Gallery:
    """Remembers pictures of a few images while all are evaluated.

    Args:
        names: of the images of the list that is evaluated.
        palette: [red, green, blue] per class.
        classes: class names, or None.
        count: how many of the best, and of the worst.
        width: the most that a picture measures, in pixels.
    """

    def __init__(self, names, palette, classes=None, count=4, width=360):
        self.names = names
        self.palette, self.classes = palette, classes
        self.count = count
        self.width = width
        # Heaps of (rank, -index, score, pictures, legend); the root is the first to go.
        self._best, self._worst = [], []

    def __call__(self, predicted):
        """Takes a `Predicted`."""
        score = scores(predicted.matrix)["mean_iou"]
        if score is None:
            return
        drawn = None
        for heap, rank in ((self._best, score), (self._worst, -score)):
            place = (rank, -predicted.index)
            if len(heap) == self.count and place < heap[0]:
                continue
            # Drawn at once: small pictures take the place of large arrays.
            drawn = drawn or self._draw(predicted)
            change = heapq.heappush if len(heap) < self.count else heapq.heapreplace
            change(heap, (*place, score, *drawn))

    def panels(self):
        """{"best": entries, "worst": entries}, the most extreme first.

        An entry is (name, mean IoU, {title: uint8 RGB [h, w, 3]}, what `legends.occurring` has of
        truth and prediction).
        """
        best = {-entry[1] for entry in self._best}
        worst = [entry for entry in self._worst if -entry[1] not in best]
        return {
            name: [(self.names[-one[1]], *one[2:]) for one in sorted(heap, key=lambda x: -x[0])]
            for name, heap in (("best", self._best), ("worst", worst))
        }

    def _draw(self, predicted):
        step = max(1, -(-predicted.image.shape[1] // self.width))
        # Every step-th pixel, so that colours stay classes.
        image, truth, labels = (
            one[::step, ::step] for one in (predicted.image, predicted.truth, predicted.labels)
        )
        error = np.where((labels == truth)[..., None], _RIGHT, _WRONG).astype(np.uint8)
        error[truth == 255] = _UNCOUNTED
        pictures = {
            "image": image.copy(),
            "truth": visualize.colorize(truth, self.palette),
            "prediction": visualize.colorize(labels, self.palette),
            "error": error,
        }
        maps = predicted.truth, predicted.labels
        return pictures, legends.occurring(maps, self.classes, self.palette)
