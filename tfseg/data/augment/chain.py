"""Transforms one after the other."""

import zlib

import numpy as np
import tensorflow as tf

from tfseg.data.augment.table import load_transforms
from tfseg.data.order import fold
from tfseg.errors import TfsegError
from tfseg.words import counted

# Less of a photograph is none: rounding would make its colour.
_LEAST_COVER = 1e-3


class Chain:
    """Makes samples and applies transforms to them, in order.

    What lies outside of the photograph is shown to the transforms in the mean colour, and zero
    after them, as it is without them.

    Args:
        transforms: what `parse_transforms` takes.
        preprocessing: `tfseg.models.Preprocessing`.
        show: function (file index, key, normalize) -> (image, label, cover): a sample cut from its
            image, where `normalize` takes float32 [h, w, channels], and padding is zero in what it
            returns. `cover` is what share of each pixel lies within the photograph, float32
            [h, w, 1], or `full_cover()` where all of every pixel does.
        size: how many files there are.

    Raises:
        TfsegError: a transform is for images of other channels, or its function for others.
    """

    def __init__(self, transforms, preprocessing, show, size):
        self.steps = load_transforms(transforms)
        channels = preprocessing.bands.channels
        for row, _ in self.steps:
            if row.channels not in (None, channels):
                raise TfsegError(
                    f"transforms: {row.name} is for {counted(row.channels, 'channel')}, not for "
                    f"{channels}"
                )
        self.preprocessing = preprocessing
        self.show, self.size = show, size

    def __call__(self, index, key):
        """A sample: a file's, under the key of (seed, epoch, file).

        Returns:
            Normalised float32 [h, w, channels], and the labels.
        """
        if not self.steps:
            return self.show(index, key, self._normalize)[:2]
        pixels, cover, label = self._apply(index, key, self.steps)
        pixels = self._normalize_levels(pixels)
        return _unless_whole(cover, pixels, lambda: pixels * cover), label

    def _apply(self, index, key, steps):
        """After these of the transforms: float32 [h, w, channels] in 0..255, their cover as `show`
        has it, and labels."""
        pixels, label, cover = self.show(index, key, self.preprocessing.bands.to_levels)
        pixels = _unless_whole(cover, pixels, lambda: self._unpadded(pixels, cover))
        for place, (row, function) in enumerate(steps):
            own = fold(key, zlib.crc32(row.name.encode()))
            if row.needs_partner:
                partner = self._partner(own, steps[:place])
                image = tf.concat([pixels, _full(cover, pixels)], -1)
                image, label = _result(row, function(image, label, own, partner=partner), image)
                pixels, cover = image[..., :-1], image[..., -1:]
            else:
                pixels, label = _result(row, function(pixels, label, own), pixels)
        return pixels, cover, label

    def _normalize(self, image):
        return self._normalize_levels(self.preprocessing.bands.to_levels(image))

    def _normalize_levels(self, image):
        """`Preprocessing.normalize_levels` of rows of [width * channels]: factors for the channels
        alone take five times as long."""
        preprocessing = self.preprocessing
        shape, (gain, shift) = tf.shape(image), preprocessing.gain_and_shift
        rows = tf.reshape(preprocessing.ordered(image), [shape[0], shape[1] * len(gain)])
        rows = rows * tf.tile(gain, shape[1:2]) - tf.tile(shift, shape[1:2])
        return tf.reshape(rows, shape)

    def _unpadded(self, pixels, cover):
        """At an edge, pixels are blended with the padding, which is zero, by their cover."""
        outside = cover < _LEAST_COVER
        # As a product of matrices: [h, w, 1] times [channels] takes four times as long.
        padding = tf.reshape(tf.cast(outside, tf.float32), [-1, 1])
        padding = tf.reshape(padding @ mean_colour(self.preprocessing)[None], tf.shape(pixels))
        return pixels * tf.where(outside, 0.0, 1 / cover) + padding

    def _partner(self, key, steps):
        """A function that makes any sample of the epoch, as likely as any other."""
        key = fold(key, 1)
        index = tf.random.stateless_uniform([], key, maxval=self.size, dtype=tf.int64, alg="philox")

        def partner():
            pixels, cover, label = self._apply(index, fold(key, index), steps)
            return tf.concat([pixels, _full(cover, pixels)], -1), label

        return partner


def _result(row, found, image):
    """What a transform has made of an image and its labels.

    Raises:
        TfsegError: it is something else.
    """
    pair = isinstance(found, tuple | list) and len(found) == 2
    if pair and tf.is_tensor(found[0]):
        made = found[0]
        if made.dtype == image.dtype and made.shape.is_compatible_with(image.shape):
            return found
    wanted = f"an image ({image.dtype.name} {image.shape}) and its labels"
    raise TfsegError(f"transforms: {row.name} must return {wanted}, not {found!r:.200}")


def _unless_whole(cover, pixels, padded):
    """`pixels`, or of a sample with padding what `padded` gives."""
    if cover.shape.num_elements() == 0:
        return pixels
    return tf.cond(tf.size(cover) > 0, padded, lambda: pixels)


def _full(cover, pixels):
    """`cover` as [h, w, 1] in any case."""
    return tf.cond(tf.size(cover) > 0, lambda: cover, lambda: tf.ones_like(pixels[..., :1]))


def mean_colour(preprocessing):
    """float32 [channels]: the colour in 0..255 that normalises to zero."""
    mean = np.asarray(preprocessing.mean, np.float32) / np.float32(preprocessing.scale)
    return mean[::-1] if preprocessing.channel_order == "BGR" else mean
