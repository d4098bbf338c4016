"""The integer confusion matrix and the scores that follow from it."""

import numpy as np
import tensorflow as tf

# Pixels that are counted at once: what lies between labels and counts stays small.
_CHUNK = 1 << 22

# Which classes a mean runs over, in words: it goes into every metrics.json, because a class that
# occurs nowhere would otherwise change the score between code bases.
COUNTED_CLASSES = {
    "skip": (
        "mean IoU: classes that occur in the truth or in the prediction; "
        "mean accuracy: classes that occur in the truth"
    ),
    "zero": "mean IoU and mean accuracy: all classes; those that occur nowhere count 0",
}


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


def scores(matrix, classes=None, absent_classes="skip"):
    """The four published scores and each class's own (Long et al. 2015, section 5).

    With n_ij pixels of class i predicted as j, t_i pixels of class i in all and p_i predicted as
    class i: pixel accuracy is sum n_ii / sum t_i; mean accuracy the mean of n_ii / t_i over the
    classes that occur in the truth; IoU of a class n_ii / (t_i + p_i - n_ii); mean IoU its mean
    over the classes that occur in truth or prediction; frequency-weighted IoU its mean weighted
    by t_i. The overall score is ADE20K's, the mean of mean IoU and pixel accuracy (Zhou et al.
    2017, section 4).

    Args:
        matrix: integers [C, C], rows truth, columns prediction.
        classes: C names, to be returned beside the per-class scores.
        absent_classes: "skip" or "zero": whether means leave out the classes that occur nowhere,
            or run over all, as the ADE20K code's do.

    Returns:
        A dict of plain floats in 0..1: "pixel_accuracy", "mean_accuracy", "mean_iou",
        "frequency_weighted_iou", "overall_score", and the lists "iou" and "accuracy" with None
        where a class has no score; "classes" if given. All scores are None if no pixel was counted.
    """
    matrix = np.asarray(matrix, np.int64)
    correct = np.diag(matrix).astype(np.float64)
    truth = matrix.sum(axis=1)
    union = truth + matrix.sum(axis=0) - np.diag(matrix)
    total = matrix.sum()
    iou = np.divide(correct, union, out=np.zeros_like(correct), where=union > 0)
    accuracy = np.divide(correct, truth, out=np.zeros_like(correct), where=truth > 0)
    every = absent_classes == "zero"
    mean_iou = float(iou[(union > 0) | every].mean()) if total else None
    pixel_accuracy = float(correct.sum() / total) if total else None
    values = {
        "pixel_accuracy": pixel_accuracy,
        "mean_accuracy": float(accuracy[(truth > 0) | every].mean()) if total else None,
        "mean_iou": mean_iou,
        "frequency_weighted_iou": float((truth * iou).sum() / total) if total else None,
        "overall_score": (mean_iou + pixel_accuracy) / 2 if total else None,
        "iou": [float(x) if n else None for x, n in zip(iou, union, strict=True)],
        "accuracy": [float(x) if n else None for x, n in zip(accuracy, truth, strict=True)],
    }
    if classes is not None:
        values["classes"] = list(classes)[: len(matrix)]
    return values
