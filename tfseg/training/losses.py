"""The training loss: cross-entropy over valid pixels, whatever way samples fall on replicas."""

import tensorflow as tf

from tfseg.data.labels import resize_labels
from tfseg.errors import TfsegError
from tfseg.models.sizes import OutputSizes


class SegmentationLoss:
    """Weighted sum over a model's output maps of their mean cross-entropy over valid pixels.

    A mean is a sum divided by a normaliser that all replicas and micro-batches share, so a replica
    computes `counts` of its labels before the forward pass, the trainer adds them up, and the
    sum of the replicas' losses is the loss. A map without any valid pixel contributes zero.

    Where logits and labels meet is the model's choice (`loss_resolution`): "labels" upsamples the
    logits to the labels (DRN); "logits" takes the labels at the centres of each map's cells
    (DeepLab, ADE20K), which leaves labels that have the map's size already as they are.

    Args:
        model: a `Segmenter`, or what else has `loss_weights` {output: weight}, `loss_resolution`,
            `upsample`, `num_classes`, and what `OutputSizes` needs.
        ignore_label: the label value of pixels that don't count.
        class_weights: one factor per class; the normaliser is then the sum of the valid pixels'
            factors, as in PyTorch. Empty for none.
        ohem_fraction: online hard example mining: of each image's valid pixels only this share,
            those of the highest loss, rounded up, enters sum and normaliser (Shrivastava et al.,
            "Training Region-based Object Detectors with OHEM", CVPR 2016; per pixel as in Wu et
            al., "High-performance Semantic Segmentation", 2016, section 3.2). The choice is made
            per image so that it doesn't depend on the batch. 0 counts all.

    Raises:
        TfsegError: the number of class weights isn't the number of classes.
    """

    def __init__(self, model, ignore_label=255, class_weights=(), ohem_fraction=0.0):
        if class_weights and len(class_weights) != model.num_classes:
            raise TfsegError(
                f"--class_weights has {len(class_weights)} numbers for {model.num_classes} classes"
            )
        self.model = model
        self._output_sizes = OutputSizes(model)
        self.ignore_label = ignore_label
        self.class_weights = tuple(class_weights)
        self.ohem_fraction = ohem_fraction

    def counts(self, labels, image_size):
        """This batch's part of each map's normaliser.

        Args:
            labels: int32 [N, H', W'], classes or the ignore label.
            image_size: (H, W) of the images, ints or scalar tensors. The maps' sizes follow from
                it, so that the counts are known before the forward pass.

        Returns:
            float32 [maps], in the order of `loss_weights`.
        """
        names = self.model.loss_weights
        if self.model.loss_resolution == "labels":
            return tf.repeat(self._count(labels)[None], len(names))
        sizes = self._output_sizes(image_size)
        return tf.stack([self._count(resize_labels(labels, sizes[name])) for name in names])

    def __call__(self, outputs, labels, normalisers):
        """This batch's part of the loss, a float32 scalar.

        Args:
            outputs: the model's dict of maps, float32 [N, h, w, C].
            labels: int32 [N, H', W'], as for `counts`.
            normalisers: float32 [maps].
        """
        total = 0.0
        for index, (name, weight) in enumerate(self.model.loss_weights.items()):
            logits, targets = outputs[name], labels
            if self.model.loss_resolution == "labels":
                logits = self.model.upsample(logits, size_of(labels))
            else:
                targets = resize_labels(labels, size_of(logits))
            losses = self._sum(logits, targets)
            mean = tf.math.divide_no_nan(losses, tf.cast(normalisers[index], losses.dtype))
            total += weight * mean
        return total

    def _pixel_weights(self, labels):
        """float32 like `labels`: each pixel's weight, 0 where it is ignored."""
        valid = labels != self.ignore_label
        if not self.class_weights:
            return tf.cast(valid, tf.float32)
        weights = tf.gather(tf.constant(self.class_weights, tf.float32), tf.where(valid, labels, 0))
        return tf.where(valid, weights, 0.0)

    def _kept(self, labels):
        """int32 [N]: how many pixels of each image hard example mining keeps."""
        valid = tf.reduce_sum(tf.cast(labels != self.ignore_label, tf.int32), (1, 2))
        return tf.cast(tf.math.ceil(tf.cast(valid, tf.float32) * self.ohem_fraction), tf.int32)

    def _count(self, labels):
        if self.ohem_fraction:
            return tf.cast(tf.reduce_sum(self._kept(labels)), tf.float32)
        return tf.reduce_sum(self._pixel_weights(labels))

    def _sum(self, logits, labels):
        # The sparse form: a one-hot map would take as much memory as the full-size logits.
        targets = tf.where(labels == self.ignore_label, 0, labels)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        losses *= tf.cast(self._pixel_weights(labels), losses.dtype)
        if self.ohem_fraction:
            losses = tf.reshape(losses, [tf.shape(losses)[0], -1])
            losses = tf.sort(losses, axis=1, direction="DESCENDING")
            losses *= tf.sequence_mask(self._kept(labels), tf.shape(losses)[1], losses.dtype)
        return tf.reduce_sum(losses)


def size_of(maps):
    """(H, W) of [N, H, W, ...]: ints where they are known, otherwise scalar tensors."""
    shape = tf.shape(maps)
    static = maps.shape
    return tuple(shape[axis] if static[axis] is None else static[axis] for axis in (1, 2))
