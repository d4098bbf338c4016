"""The mean IoU over all images that a model has seen, for Keras."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tfseg.evaluation.confusion import require_counted
from tfseg.evaluation.confusion import scores as scores_of
from tfseg.layers import resize
from tfseg.types import Size, Tensor


@keras.saving.register_keras_serializable(package="tfseg")
class MeanIoU(keras.metrics.Metric):
    """Mean IoU of all that was seen since `reset_state`, from one confusion matrix (Long et al.,
    2015, section 5); not a mean over batches.

        model.compile(optimizer, loss, metrics={"logits": tfseg.metrics.MeanIoU(11)})

    Counts are integers: exact with TensorFlow; elsewhere up to 2^31 pixels of two classes.

    Args:
        num_classes: C.
        ignore_label: the label of pixels that don't count.
        absent_classes: "skip", "truth" or "zero"; see `tfseg.metrics.scores`.
        upsample: function of maps [N, h, w, C] and a size (H, W) to [N, H, W, C], such as
            `model.upsample`; default half-pixel bilinear resizing.
        name, dtype: as in Keras.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_label: int = 255,
        absent_classes: str = "skip",
        upsample: Callable[[Tensor, Size], Tensor] | None = None,
        name: str = "mean_iou",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        require_counted(absent_classes)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.absent_classes = absent_classes
        self._upsample = upsample or resize
        self._counts = self.add_variable(
            (num_classes, num_classes), "zeros", dtype="int64", name="counts"
        )

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Counts a batch.

        Args:
            y_true: integers [N, H, W], classes and the ignore label.
            y_pred: logits or probabilities [N, h, w, C], which are resized to the labels' height
                and width; or integers [N, H, W], classes.
            sample_weight: images can't weigh differently: None.
        """
        if sample_weight is not None:
            raise ValueError("MeanIoU counts every pixel once: sample_weight isn't taken")
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if len(y_pred.shape) == 4:
            size = ops.shape(y_true)[1:3]
            y_pred = ops.argmax(self._upsample(y_pred, (size[0], size[1])), -1)
        cells = self.num_classes**2
        truth = ops.cast(ops.reshape(y_true, [-1]), "int32")
        found = ops.cast(ops.reshape(y_pred, [-1]), "int32")
        # What doesn't count has a cell of its own, behind the matrix.
        cell = ops.where(truth == self.ignore_label, cells, truth * self.num_classes + found)
        # `bincount` needs values, which a traced step hasn't got under jax.
        counts = ops.segment_sum(ops.ones_like(cell), cell, num_segments=cells + 1)[:cells]
        shape = (self.num_classes, self.num_classes)
        self._counts.assign_add(ops.cast(ops.reshape(counts, shape), "int64"))

    def result(self) -> Tensor:
        """The mean IoU; 0 where nothing was counted."""
        right, true, found = (
            ops.cast(one, "float32")
            for one in (ops.diagonal(self._counts), *(ops.sum(self._counts, i) for i in (1, 0)))
        )
        union = true + found - right
        iou = right / ops.maximum(union, 1.0)
        there = {"skip": union > 0, "truth": true > 0, "zero": union >= 0}[self.absent_classes]
        there = ops.cast(there, "float32")
        return ops.sum(iou * there) / ops.maximum(ops.sum(there), 1.0)

    def matrix(self) -> np.ndarray:
        """The confusion matrix, int64 [C, C], rows truth."""
        return np.asarray(ops.convert_to_numpy(self._counts), np.int64)

    def scores(self) -> dict[str, Any]:
        """All scores of `tfseg.metrics.scores`."""
        return scores_of(self.matrix(), absent_classes=self.absent_classes)

    def get_config(self) -> dict[str, Any]:
        """As in Keras; a function to upsample with isn't kept."""
        config = {"num_classes": self.num_classes, "ignore_label": self.ignore_label}
        return {**super().get_config(), **config, "absent_classes": self.absent_classes}
