"""The training loss: a sum of losses over valid pixels, whatever way samples fall on replicas."""

import tensorflow as tf

from tfseg.data.resizing import resize_labels
from tfseg.errors import TfsegError
from tfseg.layers import resize
from tfseg.models.sizes import OutputSizes
from tfseg.training.losses.table import create_terms
from tfseg.training.losses.terms import Targets
from tfseg.words import counted

# The name of a teacher's logits among a model's outputs.
TEACHER = "teacher_logits"


class SegmentationLoss:
    """Weighted sum over a model's output maps of a sum of losses over their valid pixels.

    A replica computes `counts` of its labels before the forward pass, the trainer adds them up
    over replicas and micro-batches, and the sum of the replicas' losses is the loss. What a loss
    needs of the outputs of all replicas it gets from them itself, by one all-reduce within the
    call. A map without any valid pixel contributes zero.

    Where logits and labels meet is the model's choice (`loss_resolution`): "labels" upsamples the
    logits to the labels (DRN); "logits" takes the labels at the centres of each map's cells
    (DeepLab, ADE20K; TensorFlow 1's codes at their first corners), which leaves labels that have
    the map's size already as they are.

    Args:
        model: a `Segmenter`, or what else has `loss_weights` {output: weight}, `loss_resolution`,
            `upsampling`, `upsample`, `num_classes`, and what `OutputSizes` needs.
        ignore_label: the label value of pixels that don't count.
        class_weights: one factor per class; see the losses. Empty for none.
        loss: names of `LOSSES` with their factors: "cross_entropy:1,lovasz:0.5".
        teacher: a `Segmenter` for losses that need one, which then find its logits of the images
            among the outputs as `TEACHER`; every map of the model learns from them.
        **options: the losses' options, such as `label_smoothing` and `ohem_fraction`.

    Raises:
        TfsegError: the number of class weights isn't the number of classes, or unknown losses.
    """

    def __init__(
        self,
        model,
        ignore_label=255,
        class_weights=(),
        loss="cross_entropy",
        teacher=None,
        **options,
    ):
        if class_weights and len(class_weights) != model.num_classes:
            raise TfsegError(
                f"`class_weights` has {counted(len(class_weights), 'number')} for "
                f"{counted(model.num_classes, 'class')}"
            )
        self.model = model
        self._output_sizes = OutputSizes(model)
        self.ignore_label = ignore_label
        self.class_weights = tuple(class_weights)
        self.teacher = teacher
        self.terms = create_terms(loss, options)

    def counts(self, labels, image_size):
        """This batch's part of what the losses' normalisers need of the labels.

        Args:
            labels: int32 [N, H', W'], classes or the ignore label.
            image_size: (H, W) of the images, ints or scalar tensors. The maps' sizes follow from
                it, so that the counts are known before the forward pass.

        Returns:
            float32 [counts], in the order of `loss_weights`, and of the losses within.
        """
        names = self.model.loss_weights
        if self.model.loss_resolution == "labels":
            return tf.tile(self._counts(labels), [len(names)])
        sizes = self._output_sizes(image_size)
        return tf.concat(
            [self._counts(self._resized(labels, sizes[name])) for name in names], axis=0
        )

    def __call__(self, outputs, labels, counts):
        """This batch's part of the loss, a float32 scalar.

        Args:
            outputs: the model's dict of maps, float32 [N, h, w, C], and the teacher's.
            labels: int32 [N, H', W'], as for `counts`.
            counts: float32 [counts], of the whole batch.
        """
        parts, total = [], 0.0
        for name, weight in self.model.loss_weights.items():
            logits, targets = outputs[name], labels
            if self.model.loss_resolution == "labels":
                logits = self.model.upsample(logits, size_of(labels))
            else:
                targets = self._resized(labels, size_of(logits))
            targets = self._targets(targets, outputs.get(TEACHER))
            for factor, term, row in self.terms:
                size = term.size(self.model.num_classes)
                own, counts = counts[:size], counts[size:]
                sums = term.sums(logits, targets)
                parts.append((weight * factor, term, row, sums, own, targets))
        wholes = iter(_over_replicas([part[3] for part in parts if part[2].needs == "outputs"]))
        for factor, term, row, sums, own, targets in parts:
            if row.needs == "outputs":
                total += factor * _share(term.value(next(wholes), own, targets))
            else:
                total += factor * term.value(sums, own, targets)
        return total

    def _resized(self, labels, size):
        return resize_labels(labels, size, legacy=self.model.upsampling == "legacy")

    def _targets(self, labels, taught=None):
        if taught is not None and self.model.loss_resolution == "labels":
            taught = self.teacher.upsample(taught, size_of(labels))
        elif taught is not None:
            taught = resize(taught, size_of(labels))
        classes = self.model.num_classes
        return Targets(labels, self.ignore_label, classes, self.class_weights, taught)

    def _counts(self, labels):
        targets = self._targets(labels)
        return tf.concat([term.counts(targets) for _, term, _ in self.terms], axis=0)


def _over_replicas(sums):
    """The sums over all replicas; the gradient goes through this replica's part alone."""
    context = tf.distribute.get_replica_context()
    if not sums or context.num_replicas_in_sync == 1:
        return sums
    sizes = [part.shape[0] for part in sums]
    sums = tf.concat(sums, 0)
    own = tf.stop_gradient(sums)
    whole = context.all_reduce(tf.distribute.ReduceOp.SUM, own)
    return tf.split(whole + (sums - own), sizes)


def _share(value):
    """One replica's share of a value that all have, with the gradient of the whole value."""
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    return value + (1 / replicas - 1) * tf.stop_gradient(value)


def size_of(maps):
    """(H, W) of [N, H, W, ...]: ints where they are known, otherwise scalar tensors."""
    shape = tf.shape(maps)
    static = maps.shape
    return tuple(shape[axis] if static[axis] is None else static[axis] for axis in (1, 2))
