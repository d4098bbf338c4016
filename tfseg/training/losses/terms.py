"""What a loss looks at, and what it says of itself, so that it is right on any number of devices.

A loss is a function of sums over the whole batch. Each replica has its part of the sums; they are
added up, and every replica takes the gradient of the whole loss by its own part. Where the loss is
a sum of the outputs divided by one of the labels, the latter alone has to be known.
"""

import functools

import tensorflow as tf


class Targets:
    """The labels that belong to one map of logits.

    Attributes:
        valid: bool [N, h, w]: where a pixel counts.
        classes: int32 [N, h, w]; 0 where a pixel is ignored.
        num_classes: how many classes there are.
        class_weights: one number per class, or empty.
        teacher: a trained model's logits [N, h, w, num_classes], or None.
    """

    def __init__(self, labels, ignore_label, num_classes, class_weights=(), teacher=None):
        self.valid = labels != ignore_label
        self.classes = tf.where(self.valid, labels, 0)
        self.num_classes = num_classes
        self.class_weights = tuple(class_weights)
        self.teacher = teacher

    @functools.cached_property
    def weights(self):
        """float32 [N, h, w]: the weight of each pixel's class, 0 where it is ignored."""
        if not self.class_weights:
            return tf.cast(self.valid, tf.float32)
        weights = tf.gather(tf.constant(self.class_weights, tf.float32), self.classes)
        return tf.where(self.valid, weights, 0.0)

    def one_hot(self, dtype):
        """[N, pixels, num_classes]; nowhere hot where a pixel is ignored."""
        classes = tf.where(self.valid, self.classes, -1)
        classes = tf.reshape(classes, [tf.shape(classes)[0], -1])
        return tf.one_hot(classes, self.num_classes, dtype=dtype)

    def class_factors(self, dtype):
        """[num_classes]: the class weights, or ones."""
        return tf.constant(self.class_weights or (1.0,) * self.num_classes, dtype)


class Loss:
    """A loss over sums. Subclasses are made with their options alone.

    Attributes:
        needs: what is summed over all replicas before the backward pass: "labels", or "outputs"
            where `value` is no sum of the outputs divided by one of the labels.
        needs_teacher: whether it looks at the outputs of a trained model.
    """

    needs = "labels"
    needs_teacher = False

    def size(self, num_classes):
        """How many `counts` there are."""
        return 1

    def counts(self, targets):
        """This part's sums of the labels, float32 [size]."""
        raise NotImplementedError

    def sums(self, logits, targets):
        """This part's sums of the outputs, [m], which the gradient goes through.

        Args:
            logits: floats [N, h, w, C].
            targets: `Targets`.
        """
        raise NotImplementedError

    def value(self, sums, counts, targets):
        """The loss, a scalar, from sums over the whole batch.

        Of a row that needs the "labels" alone it is called with a part's own `sums`, and the
        values add up, as it is linear in the sums; with the micro-batches' own averages, `counts`
        come multiplied by their number.
        """
        return tf.reduce_sum(tf.math.divide_no_nan(sums, tf.cast(counts, sums.dtype)))


class PixelLoss(Loss):
    """The mean over the valid pixels, weighted by class, of a loss of each pixel."""

    def counts(self, targets):
        return tf.reduce_sum(self.weights(targets))[None]

    def sums(self, logits, targets):
        losses = self.per_pixel(logits, targets)
        return tf.reduce_sum(losses * tf.cast(self.weights(targets), losses.dtype))[None]

    def weights(self, targets):
        """float32 [N, h, w]: each pixel's weight, in the sum and in what divides it."""
        return targets.weights

    def per_pixel(self, logits, targets):
        """[N, h, w]: the loss of each pixel; finite where it is ignored."""
        raise NotImplementedError
