"""Transforms one after the other."""

import zlib

import numpy as np
import tensorflow as tf

from tfseg.data.augment.table import load_transforms
from tfseg.data.order import fold
from tfseg.errors import TfsegError
from tfseg.words import counted


class Chain:
    """Makes samples and applies transforms to them, in order.

    What lies outside of the photograph is shown to the transforms in the mean colour, and zero
    after them, as it is without them.

    Args:
        transforms: what `parse_transforms` takes.
        preprocessing: `tfseg.models.Preprocessing`.
        show: function (file index, key, normalize) -> (image, label): a sample cut from its image,
            where `normalize` takes float32 [..., channels], and padding is zero in what it returns.
        size: how many files there are.

    Raises:
        TfsegError: a transform is for images of other channels.
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
            return self.show(index, key, self.preprocessing.normalize)
        pixels, cover, label = self._apply(index, key, self.steps)
        pixels = self.preprocessing.normalize_levels(pixels)
        return _unless_whole(cover, pixels, lambda: pixels * cover), label

    def _apply(self, index, key, steps):
        """After these of the transforms: float32 [h, w, channels] in 0..255, what share of each
        pixel lies within the photograph, [h, w, 1], and labels."""
        image, label = self.show(index, key, self._with_cover)
        pixels, cover = image[..., :-1], image[..., -1:]
        # At an edge, pixels are blended with the padding, which is zero, by their cover.
        pixels = _unless_whole(
            cover,
            pixels,
            lambda: tf.where(cover > 0, pixels / cover, mean_colour(self.preprocessing)),
        )
        for place, (row, function) in enumerate(steps):
            own = fold(key, zlib.crc32(row.name.encode()))
            if row.needs_partner:
                partner = self._partner(own, steps[:place])
                image = tf.concat([pixels, cover], -1)
                image, label = function(image, label, own, partner=partner)
                pixels, cover = image[..., :-1], image[..., -1:]
            else:
                pixels, label = function(pixels, label, own)
        return pixels, cover, label

    def _with_cover(self, image):
        """Levels, and one more channel of ones, which are zero in padding, and in between at its
        edge."""
        image = self.preprocessing.bands.to_levels(image)
        return tf.concat([image, tf.ones_like(image[..., :1])], -1)

    def _partner(self, key, steps):
        """A function that makes any sample of the epoch, as likely as any other."""
        key = fold(key, 1)
        index = tf.random.stateless_uniform([], key, maxval=self.size, dtype=tf.int64, alg="philox")

        def partner():
            *image, label = self._apply(index, fold(key, index), steps)
            return tf.concat(image, -1), label

        return partner


def _unless_whole(cover, pixels, padded):
    """`pixels`, or of a sample with padding what `padded` gives: factors for each pixel take longer
    than most transforms, and where there is no padding they are one."""
    return tf.cond(tf.reduce_min(cover) > 0.999, lambda: pixels, padded)


def mean_colour(preprocessing):
    """float32 [channels]: the colour in 0..255 that normalises to zero."""
    mean = np.asarray(preprocessing.mean, np.float32) / np.float32(preprocessing.scale)
    return mean[::-1] if preprocessing.channel_order == "BGR" else mean
