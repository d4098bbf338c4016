"""The images and label maps of an evaluated list, as arrays."""

import dataclasses

import numpy as np

from tfseg.data.image_files import read_image, read_label
from tfseg.data.labels import describe_values, label_table
from tfseg.data.shards import entry
from tfseg.errors import TfsegError
from tfseg.evaluation.confusion import count_pairs
from tfseg.words import counted


@dataclasses.dataclass(frozen=True, eq=False)
class Predicted:
    """An image with what it shows and what a model says.

    Attributes:
        index: its position in the list.
        image: uint8 RGB [H, W, 3], as people are shown it.
        truth: uint8 [H, W], classes, and 255 for whatever isn't one.
        labels: uint8 [H, W], the prediction.
        matrix: int64 [C, C], how often each class (row) was predicted as each (column).
        probabilities: float32 [H, W, C], where they are kept, or None.
    """

    index: int
    image: np.ndarray
    truth: np.ndarray
    labels: np.ndarray
    matrix: np.ndarray
    probabilities: np.ndarray | None = None


class Truth:
    """Reads the images and labels of an `ImageList`.

    Args:
        image_list: with labels.
        num_classes: how many classes there are.
        label_map: {value in the label files: class or `ignore_label`}, or None.
        ignore_label: the label of pixels that don't count.
    """

    def __init__(self, image_list, num_classes, label_map=None, ignore_label=255):
        self.image_list = image_list
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self._label_map = label_map
        self._table = label_table(num_classes, label_map, ignore_label)

    def pick(self, indices):
        """The `Truth` of the entries at some places."""
        chosen = self.image_list.pick(indices)
        return Truth(chosen, self.num_classes, self._label_map, self.ignore_label)

    def image(self, index):
        """[H, W, channels] of the list's bands, upright; label maps lie on these pixels."""
        return read_image(*entry(self.image_list, index, 0), bands=self.image_list.bands)

    def picture(self, index):
        """The same as people are shown it, uint8 RGB [H, W, 3]."""
        return self.image_list.bands.picture(self.image(index))

    def labels(self, index):
        """uint8 [H, W]: classes, and 255 for what doesn't count.

        Raises:
            TfsegError: the file can't be read, or has a value that isn't allowed.
        """
        source, title = entry(self.image_list, index, 1)
        values = read_label(source, title)
        classes = self._table[values]
        if (classes < 0).any():
            wrong = values[classes < 0][0]
            raise TfsegError(
                f"label map {title} has the value {wrong} in "
                f"{counted((values == wrong).sum(), 'pixel')}; "
                f"allowed are {describe_values(self._table, self.ignore_label)}"
            )
        return np.where(classes == self.ignore_label, 255, classes).astype(np.uint8)

    def matrix(self, index, labels):
        """The confusion matrix of a prediction, int64 [C, C], rows truth."""
        return self._count(index, self.labels(index), labels)

    def predicted(self, index, labels, probabilities=None):
        """The `Predicted` of a prediction, uint8 [H, W]."""
        truth = self.labels(index)
        matrix = self._count(index, truth, labels)
        return Predicted(index, self.picture(index), truth, labels, matrix, probabilities)

    def _count(self, index, truth, labels):
        if truth.shape != labels.shape:
            (height, width), (rows, columns) = truth.shape, labels.shape
            raise TfsegError(
                f"label map {self.image_list.label_titles[index]} is {width}x{height}, but the "
                f"prediction of {self.image_list.image_titles[index]} is {columns}x{rows}"
            )
        return count_pairs(truth, labels, self.num_classes)[:, :-1]
