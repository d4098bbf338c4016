"""What an export costs: its labels and mean IoU on real images beside the model's."""

import numpy as np
import tensorflow as tf

from tfseg.data import label_table, pipeline_errors
from tfseg.data.graph import mapped
from tfseg.data.pipelines.loading import labelled_loader
from tfseg.data.resizing import resize_labels
from tfseg.errors import TfsegError
from tfseg.evaluation.confusion import confusion_matrix, scores
from tfseg.inference.predictor import Predictor
from tfseg.models.precisions import precision, precision_of

# What an export may cost, in mean IoU.
LARGEST_LOSS = 0.02


def compare(predictor, labels_of, image_list, info, image_size=None, max_side=None):
    """Compares an export with its model, computed in float32, on labelled images.

    Args:
        predictor: the `Predictor` that was exported.
        labels_of: the export, from images [H, W, channels] to integers [H, W].
        image_list: `ImageList` with labels.
        info: its `DataInfo`.
        image_size: the (height, width) that images and labels are resized to; None for their own.
        max_side: the largest height and width that the export takes.

    Returns:
        {"mean_iou": that of the model, "mean_iou_exported": that of the export, "equal_labels":
        the share of all pixels to which both give one class}, in 0..1.

    Raises:
        TfsegError: images can't be read, are too large or have no labelled pixel, or the export
            loses more than `LARGEST_LOSS`.
    """
    image_list.require_bands(predictor.bands)
    exact = in_float32(predictor)
    num_classes = predictor.spec.num_classes
    table = label_table(num_classes, info.label_map, info.ignore_label)
    load = labelled_loader(image_list, table, info.ignore_label)
    matrices = np.zeros((2, num_classes, num_classes), np.int64)
    equal = pixels = 0
    with pipeline_errors(image_list):
        for index, (image, truth) in enumerate(
            mapped(tf.data.Dataset.range(len(image_list)), load)
        ):
            image = image.numpy()
            if image_size:
                image, truth = resized(image, image_size), resize_labels(truth[None], image_size)[0]
            elif max_side and max(image.shape[:2]) > max_side:
                raise TfsegError(
                    f"{image_list.image_titles[index]} is {image.shape[1]}x{image.shape[0]}, but "
                    f"the export takes {max_side} pixels a side at most"
                )
            answers = (exact.predict(image), labels_of(image))
            for matrix, labels in zip(matrices, answers, strict=True):
                matrix += confusion_matrix(truth, labels, num_classes, info.ignore_label).numpy()
            equal += int(np.sum(answers[0] == answers[1]))
            pixels += answers[0].size
    before, after = (scores(matrix)["mean_iou"] for matrix in matrices)
    if before is None:
        raise TfsegError(f"{image_list.root} has no labelled pixel to check the export on")
    if before - after > LARGEST_LOSS:
        raise TfsegError(
            f"the export would lower the mean IoU from {before:.4f} to {after:.4f}, by more than "
            f"{LARGEST_LOSS:g}: it was not written"
        )
    return {"mean_iou": before, "mean_iou_exported": after, "equal_labels": equal / pixels}


def in_float32(predictor):
    """`predictor` itself, or one with the same weights that computes in float32."""
    if precision_of(predictor.model) == "float32":
        return predictor
    with precision("float32"):
        model = predictor.model.spec.build_to_load()
    for target, source in zip(model.variables, predictor.model.variables, strict=True):
        target.assign(source.numpy())
    return Predictor(predictor.spec, model, predictor.protocol)


def resized(image, size):
    """An image [H, W, channels] at `size`, smoothed for reduction; uint8 stays so."""
    if tuple(image.shape[:2]) == tuple(size):
        return image
    values = tf.image.resize(image, size, antialias=True)
    if image.dtype != np.uint8:
        return values.numpy()
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8).numpy()
