"""Losses over regions: how well each class's region is covered, of the batch or of each image.

A class counts where it is among the labels: of the batch, or of the image. The mean over classes
is weighted by the class weights.
"""

import tensorflow as tf

from tfseg.training.losses.terms import Loss


def class_shares(present, targets, dtype):
    """Each class's share in the mean over the classes that are present; 0 where none is.

    Args:
        present: bool [..., C].
        targets: `Targets`, for the class weights.
        dtype: of the result.
    """
    factors = tf.where(present, targets.class_factors(dtype), 0)
    return tf.math.divide_no_nan(factors, tf.reduce_sum(factors, -1, keepdims=True))


class Tversky(Loss):
    """1 - TP / (TP + alpha FP + beta FN) over the pixels of the whole batch, mean over the classes
    in its labels (Salehi et al., "Tversky loss function", MLMI 2017, section 2.1).

    TP sums a class's probabilities in its region, FP those outside of it, FN what is missing in
    it. alpha = beta = 1/2 is the Dice coefficient (Milletari et al., "V-Net", 3DV 2016, with plain
    sums in the denominator), alpha = beta = 1 the intersection over union.

    Args:
        tversky_alpha: the weight of false positives, above 0.
        tversky_beta: the weight of false negatives, above 0.
    """

    needs = "outputs"

    def __init__(self, tversky_alpha=0.5, tversky_beta=0.5):
        self.alpha, self.beta = tversky_alpha, tversky_beta

    def size(self, num_classes):
        return num_classes

    def counts(self, targets):
        return tf.reduce_sum(targets.one_hot(tf.float32), (0, 1))

    def sums(self, logits, targets):
        return tf.reshape(tf.reduce_sum(self._areas(logits, targets), 1), [-1])

    def value(self, sums, counts, targets):
        hits, areas = tf.unstack(tf.reshape(sums, [2, -1]))
        return self._mean(hits, areas, tf.cast(counts, sums.dtype), targets)

    def _areas(self, logits, targets):
        """[2, N, C]: of each image and class, its probability in its region and everywhere."""
        probabilities = tf.nn.softmax(logits)
        probabilities = tf.where(targets.valid[..., None], probabilities, 0)
        shape = tf.shape(logits)
        probabilities = tf.reshape(probabilities, [shape[0], -1, targets.num_classes])
        hits = tf.reduce_sum(probabilities * targets.one_hot(logits.dtype), 1)
        return tf.stack([hits, tf.reduce_sum(probabilities, 1)])

    def _mean(self, hits, areas, counts, targets):
        errors = self.alpha * (areas - hits) + self.beta * (counts - hits)
        losses = tf.math.divide_no_nan(errors, hits + errors)
        return tf.reduce_sum(losses * class_shares(counts > 0, targets, losses.dtype), -1)


class TverskyPerImage(Tversky):
    """As `Tversky` of each image, and of that the mean over the images with a valid pixel."""

    needs = "labels"

    def size(self, num_classes):
        return 1

    def counts(self, targets):
        return tf.math.count_nonzero(tf.reduce_any(targets.valid, (1, 2)), dtype=tf.float32)[None]

    def sums(self, logits, targets):
        hits, areas = tf.unstack(self._areas(logits, targets))
        counts = tf.reduce_sum(targets.one_hot(logits.dtype), 1)
        return tf.reduce_sum(self._mean(hits, areas, counts, targets))[None]

    def value(self, sums, counts, targets):
        return Loss.value(self, sums, counts, targets)


class Lovasz(Loss):
    """Lovász-softmax: the convex extension of 1 - intersection over union in the errors of the
    pixels (Berman et al., CVPR 2018, section 3), of each image over the classes in its labels, and
    of that the mean over the images with a valid pixel.
    """

    def counts(self, targets):
        return TverskyPerImage.counts(self, targets)

    def sums(self, logits, targets):
        shape = tf.shape(logits)
        pixels = shape[1] * shape[2]
        truth = tf.transpose(targets.one_hot(logits.dtype), [0, 2, 1])
        probabilities = tf.reshape(tf.nn.softmax(logits), [shape[0], pixels, targets.num_classes])
        errors = tf.abs(truth - tf.transpose(probabilities, [0, 2, 1]))
        # Ignored pixels come last, where the whole region is covered and nothing changes any more.
        valid = tf.reshape(targets.valid, [shape[0], 1, pixels])
        errors = tf.where(valid, errors, -1)
        present = tf.reduce_any(truth > 0, -1)
        # Sorting is what takes time: only of classes that are there.
        rows = tf.where(tf.reshape(present, [-1]))[:, 0]
        errors = tf.gather(tf.reshape(errors, [-1, pixels]), rows)
        truth = tf.gather(tf.reshape(truth, [-1, pixels]), rows)
        errors, order = tf.math.top_k(errors, pixels)
        losses = self._of_sorted(errors, tf.gather(truth, order, batch_dims=1))
        shares = class_shares(present, targets, logits.dtype)
        return tf.reduce_sum(losses * tf.gather(tf.reshape(shares, [-1]), rows))[None]

    @staticmethod
    def _of_sorted(errors, truth):
        """[K]: the losses of rows of errors that fall, float [K, pixels], and their truth."""
        size = tf.reduce_sum(truth, -1, keepdims=True)
        found = tf.cumsum(truth, -1)
        others = tf.cumsum(1 - truth, -1)
        jaccard = 1 - (size - found) / (size + others)
        steps = jaccard - tf.pad(jaccard[:, :-1], [[0, 0], [1, 0]])
        return tf.reduce_sum(tf.nn.relu(errors) * tf.stop_gradient(steps), -1)
