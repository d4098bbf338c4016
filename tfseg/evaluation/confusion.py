"""The integer confusion matrix and the scores that follow from it."""

import numpy as np

from tfseg.errors import unknown
from tfseg.evaluation.metrics import METRICS
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

# Pixels that are counted at once: what lies between labels and counts stays small.
_CHUNK = 1 << 22

# Which classes a mean runs over, in words: it goes into every metrics.json, because a class that
# occurs nowhere would otherwise change the score between code bases.
COUNTED_CLASSES = {
    "skip": (
        "mean IoU: classes that occur in the truth or in the prediction; "
        "mean accuracy: classes that occur in the truth"
    ),
    "truth": "mean IoU and mean accuracy: classes that occur in the truth",
    "zero": "mean IoU and mean accuracy: all classes; those that occur nowhere count 0",
}


def require_counted(absent_classes):
    """Checks that there is such a rule for classes that occur nowhere.

    Raises:
        TfsegError: it is none of `COUNTED_CLASSES`.
    """
    if absent_classes not in COUNTED_CLASSES:
        raise unknown("absent_classes", absent_classes, COUNTED_CLASSES)


def confusion_matrix(labels, predictions, num_classes, ignore_label=255):
    """Counts how often each true class was predicted as each class.

    Integers all the way, so that sums over images, replicas and workers are exact in any order.

    Args:
        labels: integer tensor of any shape: class indices 0..num_classes-1 or `ignore_label`. The
            input pipeline has already refused other values.
        predictions: integer tensor of the same shape: class indices.
        num_classes: the number of classes C.
        ignore_label: pixels with this label are not counted.

    Returns:
        An int64 tensor [C, C]: rows are the truth, columns the prediction.
    """
    labels = tf.reshape(labels, [-1])
    predictions = tf.reshape(predictions, [-1])
    cells = num_classes * num_classes

    def count(start, counts):
        truth, found = (
            tf.cast(one[start : start + _CHUNK], tf.int32) for one in (labels, predictions)
        )
        # Ignored pixels get a cell of their own behind the matrix: selecting the valid ones
        # instead would make the shape dynamic and copy both maps.
        cell = tf.where(truth == ignore_label, cells, truth * num_classes + found)
        # Counted in int32, which one chunk can't overflow: GPUs have no int64 bincount.
        new = tf.math.bincount(cell, minlength=cells + 1, maxlength=cells + 1, dtype=tf.int32)
        return start + _CHUNK, counts + tf.cast(new, tf.int64)

    _, counts = tf.while_loop(
        lambda start, _: start < tf.size(labels),
        count,
        (tf.constant(0), tf.zeros([cells + 1], tf.int64)),
        (tf.TensorShape([]), tf.TensorShape([cells + 1])),
        parallel_iterations=1,
    )
    return tf.reshape(counts[:cells], [num_classes, num_classes])


def count_pairs(labels, predictions, num_classes):
    """The confusion matrix as `confusion_matrix` has it, in NumPy, of checked 8-bit label maps.

    Args:
        labels: uint8 of any shape: classes, and 255 for pixels that don't count.
        predictions: uint8 of the same shape: classes, and 255 for pixels without one.
        num_classes: the number of classes C, at most 255.

    Returns:
        int64 [C, C + 1]: rows are the truth, columns the prediction, the last for those without.
    """
    columns = num_classes + 1
    cells = labels.ravel().astype(np.int32) * columns
    cells += np.minimum(predictions.ravel(), num_classes)
    counts = np.bincount(cells, minlength=num_classes * columns)[: num_classes * columns]
    return counts.reshape(num_classes, columns)


def scores(matrix, classes=None, absent_classes="skip"):
    """The four published scores and each class's own (Long et al. 2015, section 5).

    With n_ij pixels of class i predicted as j, t_i pixels of class i in all and p_i predicted as
    class i: pixel accuracy is sum n_ii / sum t_i; mean accuracy the mean of n_ii / t_i over the
    classes that occur in the truth; IoU of a class n_ii / (t_i + p_i - n_ii); mean IoU its mean
    over the classes that occur in truth or prediction; frequency-weighted IoU its mean weighted
    by t_i. The overall score is ADE20K's, the mean of mean IoU and pixel accuracy (Zhou et al.
    2017, section 4).

    Args:
        matrix: integers [C, C], rows truth, columns prediction; or [C, C + 1], the last for pixels
            that got no class: they are missed, and no class is charged with them.
        classes: C names, to be returned beside the per-class scores.
        absent_classes: "skip", "truth" or "zero": whether means leave out the classes that occur
            nowhere, those that the truth hasn't got, as DeepLab's PyTorch code does, or run over
            all, as the ADE20K code's do.

    Returns:
        A dict of plain floats in 0..1: "pixel_accuracy", "mean_accuracy", "mean_iou",
        "frequency_weighted_iou", "overall_score", and the lists "iou" and "accuracy" with None
        where a class has no score; "classes" if given. All scores are None if no pixel was counted.

    Raises:
        TfsegError: another `absent_classes`.
    """
    require_counted(absent_classes)
    matrix = np.asarray(matrix, np.int64)
    counts = np.stack([np.diag(matrix), matrix.sum(1), matrix.sum(0)[: len(matrix)]])

    def of(metric):
        values = METRICS[metric].load()(counts, absent_classes)
        return [None if np.isnan(x) else float(x) for x in np.atleast_1d(values)]

    names = ("pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou")
    values = {name: of(name)[0] for name in (*names, "overall_score")}
    values |= {name: of(name) for name in ("iou", "accuracy")}
    if classes is not None:
        values["classes"] = list(classes)[: len(matrix)]
    return values
