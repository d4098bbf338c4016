"""Where a network's tiles come from: images in memory, or a file that is read window by window."""

import numpy as np
import tensorflow as tf

from tfseg.data.resizing import resized_window


class Whole:
    """Images in memory.

    Args:
        images: [N, H, W, channels].

    Attributes:
        batch: N.
        size: [H, W].
        in_graph: whether the caller's graph has the network in it.
    """

    in_graph = True

    def __init__(self, images):
        self.images = images
        shape = tf.shape(images)
        self.batch, self.size = shape[0], shape[1:3]

    def window(self, top, bottom, left, right):
        """That piece of the images, [N, h, w, channels]."""
        return self.images[:, top:bottom, left:right]

    def resized(self, size, window, method):
        """What `window` shows of the images resized to `size`: see `resized_window`."""
        return resized_window(self.images, size, window, method)


class Windows:
    """A scene, of which no more is in memory than a tile is made from.

    Args:
        scene: a `tfseg.data.scenes.Scene`.
        bands: `Bands` of the images that the model takes.

    Attributes:
        batch, size, in_graph: as for `Whole`.
    """

    in_graph = False
    batch = 1

    def __init__(self, scene, bands):
        self._scene, self._bands = scene, bands
        self.size = tf.constant(scene.size)

    def window(self, top, bottom, left, right):
        """As `Whole.window`."""
        pixels, _ = self._scene.image(self._bands, *map(int, (top, bottom, left, right)))
        return tf.constant(pixels[np.newaxis])

    def resized(self, size, window, method):
        """As `Whole.resized`."""
        return resized_window(self.window, size, window, method, self.size)
