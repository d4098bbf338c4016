"""The images of an evaluation that went best and worst, as pictures for a report."""

import heapq

import numpy as np

from tfseg import visualize
from tfseg.evaluation.confusion import scores

_RIGHT, _WRONG, _UNCOUNTED = (236, 239, 241), (198, 40, 40), (176, 190, 197)


class Gallery:
    """Remembers the label maps of a few images while all are evaluated.

    Args:
        truth: a `Truth`.
        palette: [red, green, blue] per class.
        count: how many of the best, and of the worst.
        width: of the pictures, in pixels.
    """

    def __init__(self, truth, palette, count=4, width=360):
        self.truth = truth
        self.palette = palette
        self.count = count
        self.width = width
        # Heaps of (rank, -index, score, labels); the root is the first to go.
        self._best, self._worst = [], []

    def __call__(self, index, labels):
        """Takes the prediction, uint8 [H, W], of the image at a position of the list."""
        score = scores(self.truth.matrix(index, labels))["mean_iou"]
        if score is None:
            return
        for heap, rank in ((self._best, score), (self._worst, -score)):
            entry = (rank, -index, score, labels)
            if len(heap) < self.count:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)

    def panels(self):
        """{"best": entries, "worst": entries}, the most extreme first.

        An entry is (name, mean IoU, {title: uint8 RGB [h, w, 3]}).
        """
        best = {-entry[1] for entry in self._best}
        worst = [entry for entry in self._worst if -entry[1] not in best]
        return {
            name: [self._entry(-one[1], *one[2:]) for one in sorted(heap, key=lambda x: -x[0])]
            for name, heap in (("best", self._best), ("worst", worst))
        }

    def _entry(self, index, score, labels):
        image, truth = self.truth.image(index), self.truth.labels(index)
        error = np.where((labels == truth)[..., None], _RIGHT, _WRONG).astype(np.uint8)
        error[truth == 255] = _UNCOUNTED
        pictures = {
            "image": image,
            "truth": visualize.colorize(truth, self.palette),
            "prediction": visualize.colorize(labels, self.palette),
            "error": error,
        }
        step = max(1, -(-image.shape[1] // self.width))
        return (
            self.truth.image_list.names[index],
            score,
            # Every step-th pixel, so that colours stay classes.
            {title: picture[::step, ::step] for title, picture in pictures.items()},
        )
