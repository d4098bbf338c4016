"""The one way from images to label maps: evaluation, prediction and reports all go through it."""

import dataclasses
import math

import tensorflow as tf

from tfseg.data.natural import resize_image, resized
from tfseg.errors import TfsegError

# The images that the functions below take, for the tf.function that a caller wraps around them:
# one trace for every size. They are not compiled here because under a distribution strategy the
# tf.function has to stand outside of `strategy.run`.
IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """At which sizes the network looks at an image.

    With several sizes, the class probabilities of each are brought to the image's own size and
    averaged. Images are resized bilinearly, smoothed for reduction. Whatever the sizes, label maps
    have the image's own.

    Attributes:
        scales: factors of the image's height and width; the results are rounded down.
        short_sides: instead of `scales`, lengths of the short side in pixels, as in the ADE20K
            code.
        max_long_side: with `short_sides`, limit of the other side.
        padding_constant: heights and widths are rounded up to multiples of it, and the image
            resized to exactly that.

    Raises:
        TfsegError: a number that isn't positive, or both `scales` and `short_sides`.
    """

    scales: tuple = (1.0,)
    short_sides: tuple = ()
    max_long_side: int = 1000
    padding_constant: int = 1

    def __post_init__(self):
        for name in ("scales", "short_sides"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.short_sides and self.scales != (1.0,):
            raise TfsegError("evaluation takes scales or short sides, not both")
        numbers = (*self.scales, *self.short_sides, self.max_long_side, self.padding_constant)
        if not self.scales or not all(0 < x < math.inf for x in numbers):
            raise TfsegError(f"scales and sizes of an evaluation must be positive, not {numbers}")

    @property
    def is_plain(self):
        """Whether the network looks at the image once and as it is."""
        return self == Protocol(max_long_side=self.max_long_side)

    def sizes(self, size):
        """What the network looks at: a list of int32 [2], for images of `size`, int32 [2]."""
        if self.short_sides:
            sizes = [resized(size, side, self.max_long_side) for side in self.short_sides]
        else:
            floats = tf.cast(size, tf.float64)
            sizes = [tf.maximum(tf.cast(floats * scale, tf.int32), 1) for scale in self.scales]
        step = self.padding_constant
        # Not as -(-one // step): exported graphs may round negative quotients to zero.
        return [(one + step - 1) // step * step for one in sizes]

    def to_dict(self):
        """Plain values for metrics.json."""
        values = {"resolution": "native", "flip": False}
        if self.short_sides:
            values.update(short_sides=list(self.short_sides), max_long_side=self.max_long_side)
        else:
            values["scales"] = list(self.scales)
        if not self.is_plain:
            values.update(padding_constant=self.padding_constant, average="probabilities")
        return values


class Inference:
    """Runs a segmenter on whole images of any size.

    Args:
        model: a `Segmenter`.
        protocol: a `Protocol`; default the images as they are.

    Attributes:
        model: the same.
        protocol: the choices that change a score, as plain values for metrics.json.
    """

    def __init__(self, model, protocol=None):
        self.model = model
        self._protocol = protocol or Protocol()
        self.protocol = self._protocol.to_dict()

    def labels(self, images):
        """The most probable class of every pixel.

        Args:
            images: normalised float32 [N, H, W, 3].

        Returns:
            int32 [N, H, W].
        """
        if not self._protocol.is_plain:
            return tf.argmax(self.probabilities(images), -1, tf.int32)
        # Softmax does not move the maximum: the logits do, without another full-size copy.
        logits = self.model(images, training=False)["logits"]
        size = tf.shape(images)[1:3]
        return tf.argmax(self.model.upsample(logits, (size[0], size[1])), -1, tf.int32)

    def probabilities(self, images):
        """Every pixel's class probabilities: float32 [N, H, W, C] for `images` as in `labels`."""
        if self._protocol.is_plain:
            return self.model.probabilities(images)
        size = tf.shape(images)[1:3]
        sizes, total = self._protocol.sizes(size), None
        for one in sizes:
            # One after the other: all at once would take the memory of all.
            with tf.control_dependencies([] if total is None else [total]):
                views = resize_image(images, one)
            probabilities = self.model.probabilities(views, (size[0], size[1]))
            total = probabilities if total is None else total + probabilities
        return total / len(sizes)
