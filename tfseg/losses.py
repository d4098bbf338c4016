"""The training loss for Keras' own `compile` and `fit`, on each of its backends.

    loss = tfseg.losses.SegmentationLoss()
    model.compile("adamw", loss, metrics=[tfseg.metrics.MeanIoU(11)])
    model.fit(images, label_maps)

`tfseg train` has more losses, and one that is the same on any number of devices.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.checks import are_numbers, require_number
from tfseg.errors import TfsegError
from tfseg.layers import resize
from tfseg.types import Tensor
from tfseg.words import counted


@keras.saving.register_keras_serializable("tfseg")
class SegmentationLoss(keras.losses.Loss):
    """Mean cross-entropy over the pixels that count.

    A `Segmenter` brings its maps and the labels to one size as it was published, and weighs its
    auxiliary maps; of other models, maps that are smaller than the labels are resized to them.

    Args:
        ignore_label: the label of pixels that don't count.
        class_weights: a factor for each class, as in PyTorch: the mean is a weighted one.
        label_smoothing: the share of each pixel's target that is spread over all classes (Szegedy
            et al., "Rethinking the Inception Architecture", CVPR 2016, section 7).
        name, dtype: as in Keras.

    Raises:
        TfsegError: `label_smoothing` isn't from 0 to below 1, a class weight is no finite number
            from 0, or all are 0.
    """

    def __init__(
        self,
        ignore_label: int = 255,
        class_weights: Sequence[float] = (),
        label_smoothing: float = 0.0,
        name: str = "segmentation_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        require_number("ignore_label", ignore_label, whole=True)
        require_number("label_smoothing", label_smoothing, 0, below=1)
        weights = class_weights.tolist() if hasattr(class_weights, "tolist") else class_weights
        if not are_numbers(weights, 0) or (weights and not any(weights)):
            raise TfsegError(f"`class_weights` must be numbers from 0, not all 0, not {weights!r}")
        self.ignore_label = ignore_label
        self.class_weights = [float(weight) for weight in weights]
        self.label_smoothing = label_smoothing

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """The loss, a scalar; 0 where no pixel counts.

        Args:
            y_true: integers [N, H, W], classes and the ignore label.
            y_pred: logits [N, h, w, C].
            sample_weight: None: the ignore label and class weights say what counts.
        """
        if sample_weight is not None:
            raise TfsegError("SegmentationLoss takes no sample_weight: use the ignore label")
        # Keras would cast the labels to floats, which in half precision don't tell 255 from 256.
        return self.call(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """See `__call__`."""
        classes = y_pred.shape[-1]
        if self.class_weights and len(self.class_weights) != classes:
            raise TfsegError(
                f"class_weights has {counted(len(self.class_weights), 'number')} for "
                f"{counted(classes, 'class')}"
            )
        labels = ops.cast(y_true, "int32")
        size = ops.shape(labels)[1:3]
        logits = ops.cast(y_pred, keras.backend.result_type(y_pred.dtype, "float32"))
        if y_pred.shape[1:3] != y_true.shape[1:3] or None in y_pred.shape[1:3]:
            logits = resize(logits, (size[0], size[1]))
        valid = labels != self.ignore_label
        labels = ops.where(valid, labels, 0)
        weights = ops.cast(valid, logits.dtype)
        factors = ops.convert_to_tensor(self.class_weights or [1.0] * classes, logits.dtype)
        if self.class_weights:
            weights = weights * ops.take(factors, labels)
        losses = weights * ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.label_smoothing:
            spread = -ops.sum(ops.log_softmax(logits) * factors, -1) / classes
            spread = ops.where(valid, spread, 0.0)
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * spread
        total = ops.sum(weights)
        return ops.where(total > 0, ops.sum(losses) / ops.where(total > 0, total, 1.0), 0.0)

    def get_config(self) -> dict[str, Any]:
        """As in Keras."""
        config = {"name": self.name, "dtype": self.dtype, "ignore_label": self.ignore_label}
        options = {"class_weights": self.class_weights, "label_smoothing": self.label_smoothing}
        return {**config, **options}
