"""The one way from images to label maps: evaluation, prediction and reports all go through it."""

import tensorflow as tf

# The images that the functions below take, for the tf.function that a caller wraps around them:
# one trace for every size. They are not compiled here because under a distribution strategy the
# tf.function has to stand outside of `strategy.run`.
IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32)


class Inference:
    """Runs a segmenter on whole images of any size.

    Args:
        model: a `Segmenter`.

    Attributes:
        model: the same.
        protocol: the choices that change a score, as plain values for metrics.json.
    """

    def __init__(self, model):
        self.model = model
        self.protocol = {"resolution": "native", "scales": [1.0], "flip": False}

    def labels(self, images):
        """The most probable class of every pixel.

        Args:
            images: normalised float32 [N, H, W, 3].

        Returns:
            int32 [N, H, W].
        """
        # Softmax does not move the maximum: the logits do, without another full-size copy.
        logits = self.model(images, training=False)["logits"]
        size = tf.shape(images)[1:3]
        return tf.argmax(self.model.upsample(logits, (size[0], size[1])), -1, tf.int32)

    def probabilities(self, images):
        """Every pixel's class probabilities: float32 [N, H, W, C] for `images` as in `labels`."""
        return self.model.probabilities(images)
