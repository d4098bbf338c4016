"""Means over pixels: cross-entropy and what is made of it."""

import tensorflow as tf

from tfseg.training.losses.terms import Loss, PixelLoss


def cross_entropy(logits, targets):
    """[N, h, w], of each pixel."""
    # The sparse form: a one-hot map would take as much memory as the full-size logits.
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets.classes, logits)


class CrossEntropy(PixelLoss):
    """Mean cross-entropy over the valid pixels; class weights as in PyTorch.

    Args:
        label_smoothing: the share of each pixel's target that is spread evenly over all classes
            (Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, section 7). Class
            weights multiply the parts of the classes that they belong to.
    """

    def __init__(self, label_smoothing=0.0):
        self.label_smoothing = label_smoothing

    def sums(self, logits, targets):
        sums = super().sums(logits, targets)
        if not self.label_smoothing:
            return sums
        factors = targets.class_factors(logits.dtype) / targets.num_classes
        spread = -tf.reduce_sum(tf.nn.log_softmax(logits) * factors, -1)
        spread = tf.reduce_sum(tf.where(targets.valid, spread, 0))[None]
        return (1 - self.label_smoothing) * sums + self.label_smoothing * spread

    def per_pixel(self, logits, targets):
        return cross_entropy(logits, targets)


class Focal(PixelLoss):
    """Cross-entropy times (1 - p)^gamma, where p is the probability of the pixel's own class (Lin
    et al., "Focal Loss for Dense Object Detection", ICCV 2017, section 3.2), mean over the valid
    pixels. Class weights take the part of the paper's alpha.
    """

    def __init__(self, focal_gamma=2.0):
        self.gamma = focal_gamma

    def per_pixel(self, logits, targets):
        losses = cross_entropy(logits, targets)
        # Below gamma = 1 the power has no finite slope at p = 1.
        missed = tf.maximum(-tf.math.expm1(-losses), 1e-6)
        return missed**self.gamma * losses


class GeneralizedCrossEntropy(PixelLoss):
    """(1 - p^q) / q of the probability p of the pixel's own class, q = 0.7, which wrong labels pull
    at less than at cross-entropy (Zhang, Sabuncu, "Generalized Cross Entropy Loss for Training Deep
    Neural Networks with Noisy Labels", NeurIPS 2018, equation 6), mean over the valid pixels.
    """

    def per_pixel(self, logits, targets):
        return -tf.math.expm1(-0.7 * cross_entropy(logits, targets)) / 0.7


class Distillation(PixelLoss):
    """The Kullback-Leibler divergence from a trained model's probabilities to the network's, both
    softened by a temperature T, times T^2 (Hinton et al., "Distilling the Knowledge in a Neural
    Network", 2015, section 2), mean over the valid pixels.

    Args:
        temperature: what the logits of both are divided by.
    """

    needs_teacher = True

    def __init__(self, temperature=1.0):
        self.temperature = temperature

    def weights(self, targets):
        return tf.cast(targets.valid, tf.float32)

    def per_pixel(self, logits, targets):
        taught = tf.nn.log_softmax(tf.cast(targets.teacher, logits.dtype) / self.temperature)
        own = tf.nn.log_softmax(logits / self.temperature)
        return self.temperature**2 * tf.reduce_sum(tf.exp(taught) * (taught - own), -1)


class HardExamples(Loss):
    """Online hard example mining: of each image's valid pixels only those of the highest
    cross-entropy (Shrivastava et al., "Training Region-based Object Detectors with OHEM", CVPR
    2016; per pixel as in Wu et al., "High-performance Semantic Segmentation", 2016, section 3.2).
    The choice is made per image so that it doesn't depend on the batch.

    Args:
        ohem_fraction: the share of an image's valid pixels that enters sum and count, rounded up.
    """

    def __init__(self, ohem_fraction=0.25):
        self.fraction = ohem_fraction

    def counts(self, targets):
        return tf.cast(tf.reduce_sum(self._kept(targets)), tf.float32)[None]

    def sums(self, logits, targets):
        losses = cross_entropy(logits, targets)
        losses *= tf.cast(targets.weights, losses.dtype)
        losses = tf.reshape(losses, [tf.shape(losses)[0], -1])
        losses = tf.sort(losses, axis=1, direction="DESCENDING")
        losses *= tf.sequence_mask(self._kept(targets), tf.shape(losses)[1], losses.dtype)
        return tf.reduce_sum(losses)[None]

    def _kept(self, targets):
        """int32 [N]: how many pixels of each image are kept."""
        valid = tf.reduce_sum(tf.cast(targets.valid, tf.int32), (1, 2))
        return tf.cast(tf.math.ceil(tf.cast(valid, tf.float32) * self.fraction), tf.int32)


class BoundaryWeighted(PixelLoss):
    """Cross-entropy in which pixels near another class count more, as a weighted mean (a box in
    place of the distances of Ronneberger et al., "U-Net", MICCAI 2015, section 3).

    Args:
        boundary_weight: how much more: such a pixel weighs 1 + this.
        boundary_width: pixels are near a class that has a pixel at most so many rows and columns
            away, on the map where the loss is computed. Ignored pixels have no class.
    """

    def __init__(self, boundary_weight=4.0, boundary_width=2):
        self.weight, self.width = boundary_weight, boundary_width

    def weights(self, targets):
        classes = tf.cast(targets.classes, tf.float32)[..., None]
        valid = targets.valid[..., None]
        largest = self._largest(tf.where(valid, classes, -1e9))
        smallest = -self._largest(tf.where(valid, -classes, -1e9))
        near = (largest > smallest)[..., 0]
        return targets.weights * (1 + self.weight * tf.cast(near, tf.float32))

    def _largest(self, maps):
        side = 2 * self.width + 1
        maps = tf.nn.max_pool2d(maps, (side, 1), 1, "SAME")
        return tf.nn.max_pool2d(maps, (1, side), 1, "SAME")

    def per_pixel(self, logits, targets):
        return cross_entropy(logits, targets)
