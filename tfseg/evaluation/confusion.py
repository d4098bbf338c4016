"""The integer confusion matrix and the scores that follow from it."""

import numpy as np
import tensorflow as tf

# Which classes a mean runs over, in words: it goes into every metrics.json, because a class that
# occurs nowhere would otherwise change the score between code bases.
COUNTED_CLASSES = (
    "mean IoU: classes that occur in the truth or in the prediction; "
    "mean accuracy: classes that occur in the truth"
)


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
    labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
    predictions = tf.reshape(tf.cast(predictions, tf.int32), [-1])
    # Ignored pixels get a cell of their own behind the matrix: selecting the valid ones instead
    # would make the shape dynamic and copy both maps.
    cells = num_classes * num_classes
    cell = tf.where(labels == ignore_label, cells, labels * num_classes + predictions)
    # Counted in int32, which one image can't overflow, because GPUs have no int64 bincount.
    counts = tf.math.bincount(cell, minlength=cells + 1, maxlength=cells + 1, dtype=tf.int32)
    return tf.cast(tf.reshape(counts[:cells], [num_classes, num_classes]), tf.int64)


def scores(matrix, classes=None):
    """The four published scores and each class's own (Long et al. 2015, section 5).

    With n_ij pixels of class i predicted as j, t_i pixels of class i in all and p_i predicted as
    class i: pixel accuracy is sum n_ii / sum t_i; mean accuracy the mean of n_ii / t_i over the
    classes that occur in the truth; IoU of a class n_ii / (t_i + p_i - n_ii); mean IoU its mean
    over the classes that occur in truth or prediction; frequency-weighted IoU its mean weighted
    by t_i.

    Args:
        matrix: integers [C, C], rows truth, columns prediction.
        classes: C names, to be returned beside the per-class scores.

    Returns:
        A dict of plain floats in 0..1: "pixel_accuracy", "mean_accuracy", "mean_iou",
        "frequency_weighted_iou", and the lists "iou" and "accuracy" with None where a class has
        no score; "classes" if given. All scores are None if no pixel was counted.
    """
    matrix = np.asarray(matrix, np.int64)
    correct = np.diag(matrix).astype(np.float64)
    truth = matrix.sum(axis=1)
    union = truth + matrix.sum(axis=0) - np.diag(matrix)
    total = matrix.sum()
    iou = np.divide(correct, union, out=np.zeros_like(correct), where=union > 0)
    accuracy = np.divide(correct, truth, out=np.zeros_like(correct), where=truth > 0)
    values = {
        "pixel_accuracy": float(correct.sum() / total) if total else None,
        "mean_accuracy": float(accuracy[truth > 0].mean()) if total else None,
        "mean_iou": float(iou[union > 0].mean()) if total else None,
        "frequency_weighted_iou": float((truth * iou).sum() / total) if total else None,
        "iou": [float(x) if n else None for x, n in zip(iou, union, strict=True)],
        "accuracy": [float(x) if n else None for x, n in zip(accuracy, truth, strict=True)],
    }
    if classes is not None:
        values["classes"] = list(classes)[: len(matrix)]
    return values
