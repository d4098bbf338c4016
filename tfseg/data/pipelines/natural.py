"""Batches of natural shape: whole images at random sizes, without crops.

As in the ADE20K code: a batch holds landscape images (squares among them) or portrait ones, all
resized to one short side and padded to one size. So replicas have shapes of their own in the same
step. Which images a batch holds, and its short side, follow from its number alone.
"""

import dataclasses
from concurrent import futures

import numpy as np
import tensorflow as tf

from tfseg.checks import are_whole
from tfseg.data.decoding import require
from tfseg.data.image_files import image_size
from tfseg.data.order import Grouped, epoch_key, fold
from tfseg.data.pipelines.warp import full_cover
from tfseg.data.resizing import resize_image, resize_labels, resized
from tfseg.errors import TfsegError


@dataclasses.dataclass(frozen=True)
class NaturalShapes:
    """What training does to whole images; an alternative to `Augmentation`.

    A short side is drawn for each batch. Images are resized to it, or to less where their long
    side would pass `max_long_side`, rounded down: bilinear, smoothed for reduction, as Pillow does
    it; label maps take the nearest value at the centre of each pixel. Half of the images are
    mirrored if `mirror`. On the right and below, images are padded with the mean colour, and label
    maps with the ignore label, to the batch's largest height and width, rounded up to multiples
    of `size_divisor`. Where that is a multiple of the network's stride, the loss, which takes
    labels at the centres of its cells, sees the same labels whatever the padding.

    Attributes:
        short_sides: lengths in pixels, each as likely.
        max_long_side: limit of the other side.
        size_divisor: what heights and widths of batches are multiples of.
        mirror: whether to mirror left and right.

    Raises:
        TfsegError: a value that isn't a positive whole number, or no short side.
    """

    short_sides: tuple
    max_long_side: int = 1000
    size_divisor: int = 8
    mirror: bool = True
    # What `size_divisor` was called in version 0.1.
    padding_constant: dataclasses.InitVar[int | None] = None

    def __post_init__(self, padding_constant):
        if padding_constant is not None:
            object.__setattr__(self, "size_divisor", padding_constant)
        object.__setattr__(self, "short_sides", tuple(self.short_sides))
        values = (*self.short_sides, self.max_long_side, self.size_divisor)
        if not self.short_sides or not are_whole(values, 1):
            raise TfsegError(
                "`short_sides`, `max_long_side` and `size_divisor` must be positive whole numbers, "
                f"not {values}"
            )

    def sampler(self, image_list, batch_size, seed):
        """How samples are made from an `ImageList`: see `NaturalSampler`."""
        return NaturalSampler(self, image_list, batch_size, seed)


class NaturalSampler:
    """Samples of natural shape; the `batch_size` samples of a batch have one shape.

    Reads the images' sizes from their headers, unless the list states them.

    Attributes:
        order: a `Grouped`.
    """

    def __init__(self, shapes, image_list, batch_size, seed):
        self.shapes = shapes
        self.paths = image_list.image_titles
        self.sizes = np.array(read_sizes(image_list), np.int64)
        portrait = self.sizes[:, 0] > self.sizes[:, 1]
        kinds = [np.flatnonzero(~portrait), np.flatnonzero(portrait)]
        self.order = Grouped(kinds, batch_size, seed)

    def show(self, number, image, label, key, normalize, ignore_label):
        """One sample.

        Args:
            number: int64, the sample's number.
            image, label: [H, W, channels] and uint8 [H, W] of its file.
            key: of (seed, epoch, file).
            normalize: function of float32 images, to images of any number of channels in which
                padding is zero.
            ignore_label: what pads the label map.

        Returns:
            The results of `warp`: float32 [h, w, channels], int32 [h, w], and what share of each
            pixel lies within the image.
        """
        epoch, place, files = self.order.group(number)
        member = number % self.order.group_size
        sizes = tf.gather(self.sizes, files)
        sizes = resized(sizes, self._short_side(epoch, place), self.shapes.max_long_side)
        step = self.shapes.size_divisor
        full = -(-tf.reduce_max(sizes, axis=0) // step) * step
        size, full = tf.cast(sizes[member], tf.int32), tf.cast(full, tf.int32)
        with tf.control_dependencies([self._require_size(files[member], label)]):
            image = normalize(tf.cast(image, tf.float32))
        image = resize_image(image, size)
        label = resize_labels(tf.cast(label, tf.int32)[None], (size[0], size[1]))[0]
        if self.shapes.mirror:
            mirrored = tf.random.stateless_uniform([], key, alg="philox") < 0.5
            image = tf.where(mirrored, image[:, ::-1], image)
            label = tf.where(mirrored, label[:, ::-1], label)
        padding = [[0, full[0] - size[0]], [0, full[1] - size[1]]]
        image = tf.pad(image, [*padding, [0, 0]])
        label = tf.pad(label, padding, constant_values=ignore_label)
        image = tf.ensure_shape(image, [None, None, image.shape[-1]])
        cover = tf.cond(
            tf.reduce_all(size == full),
            full_cover,
            lambda: tf.pad(tf.ones([size[0], size[1], 1]), [*padding, [0, 0]]),
        )
        return image, tf.ensure_shape(label, [None, None]), cover

    def _short_side(self, epoch, place):
        key = fold(fold(epoch_key(self.order.seed, epoch), -1 - len(self.order.groups)), place)
        count = len(self.shapes.short_sides)
        index = tf.random.stateless_uniform([], key, maxval=count, dtype=tf.int64, alg="philox")
        return tf.gather(tf.constant(self.shapes.short_sides, tf.int64), index)

    def _require_size(self, file, label):
        stated, found = tf.gather(self.sizes, file), tf.shape(label, tf.int64)
        return require(
            tf.reduce_all(stated == found),
            *("image ", tf.gather(tf.constant(self.paths), file), " is ", found[1], "x", found[0]),
            *(", but its list says ", stated[1], "x", stated[0]),
        )


def read_sizes(image_list):
    """[(height, width)] of an `ImageList`: those that it states, or from the files' headers."""
    if image_list.sizes:
        return image_list.sizes
    with futures.ThreadPoolExecutor() as pool:
        return [size[::-1] for size in pool.map(image_size, image_list.images)]
