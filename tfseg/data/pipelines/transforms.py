"""Augmentation: scale, rotation, crop and mirror as one projective transform.

Image and label go through the same matrix, so that they can't come apart, and only the crop's
pixels are ever computed. All randomness is stateless: a function of a key alone.
"""

import dataclasses
import math
import zlib

import tensorflow as tf

from tfseg.data.order import Shuffled, fold
from tfseg.errors import TfsegError

# What the key of a sample is folded with for crops on classes.
_CLASS_CROPS = zlib.crc32(b"class_crops")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What training does to its samples.

    The image is scaled by a factor drawn uniformly from `scale_range`, rotated about its centre
    by an angle drawn uniformly from [-rotate, rotate], and mirrored with probability 1/2 if
    `mirror`. The crop lies uniformly at any whole-pixel offset within the scaled image; along an
    axis where that is smaller than the crop, the whole of it lies uniformly within the crop.
    What lies outside of the image is filled: with the mean colour, which normalises to zero, and
    with the ignore label. Reduction does not smooth: factors well below 1/2 alias.

    Attributes:
        crop_size: (height, width) of the samples; one number means a square.
        scale_range: (smallest, largest) factor, positive.
        rotate: largest angle in degrees, 0..180.
        mirror: whether to mirror left and right.
        class_crops: this share of the crops lies as near as it can to being centred on a pixel of
            one class, which is drawn from those of the image in proportion to `class_odds`.
        class_odds: a number of at least 0 for each class.

    Raises:
        TfsegError: on values outside these ranges.
    """

    crop_size: tuple
    scale_range: tuple = (1.0, 1.0)
    rotate: float = 0.0
    mirror: bool = True
    class_crops: float = 0.0
    class_odds: tuple = ()

    def __post_init__(self):
        size = self.crop_size
        size = (size, size) if isinstance(size, int) else tuple(size)
        if len(size) != 2 or not all(isinstance(x, int) and x > 0 for x in size):
            raise TfsegError(f"crop_size must be positive (height, width), not {self.crop_size}")
        object.__setattr__(self, "crop_size", size)
        scales = tuple(float(x) for x in self.scale_range)
        if len(scales) != 2 or not 0 < scales[0] <= scales[1] < math.inf:
            raise TfsegError(
                f"scale_range must be two factors, 0 < smallest <= largest, not {self.scale_range}"
            )
        object.__setattr__(self, "scale_range", scales)
        if not 0 <= self.rotate <= 180:
            raise TfsegError(f"rotate must be an angle of 0..180 degrees, not {self.rotate}")
        if not 0 <= self.class_crops <= 1:
            raise TfsegError(f"class_crops must be in 0..1, not {self.class_crops}")

    def sampler(self, image_list, batch_size, seed):
        """How samples are made from an `ImageList`: see `CropSampler`."""
        return CropSampler(self, len(image_list), seed)


class CropSampler:
    """Samples that are crops of single images.

    Attributes:
        order: a `Shuffled`.
    """

    def __init__(self, augmentation, size, seed):
        self.augmentation = augmentation
        self.order = Shuffled(size, seed)

    def show(self, number, image, label, key, normalize, ignore_label):
        """One sample: the arguments of `NaturalSampler.show` and the results of `warp`."""
        matrix = random_matrix(tf.shape(label), self.augmentation, key, label)
        return warp(image, label, matrix, self.augmentation.crop_size, normalize, ignore_label)


def random_matrix(size, augmentation, key, label=None):
    """The affine map from a crop's pixels to the pixels of its image.

    Pixel centres are whole numbers, so that pixel 0 reaches from -0.5 to 0.5. A pixel (x, y) of
    the crop shows the image at (a*x + b*y + c, d*x + e*y + f).

    Args:
        size: [height, width] of the image, a tensor.
        augmentation: `Augmentation`.
        key: int [2]: the randomness is a function of it alone.
        label: uint8 [height, width], needed with `class_crops`.

    Returns:
        float64 [[a, b, c], [d, e, f]]. With scale 1 and angle 0, whole numbers exactly.
    """
    u = tf.random.stateless_uniform([5], key, dtype=tf.float64, alg="philox")
    size = tf.cast(size, tf.float64)
    crop = tf.constant(augmentation.crop_size, tf.float64)
    smallest, largest = augmentation.scale_range
    scaled = tf.maximum(tf.round(size * (smallest + (largest - smallest) * u[0])), 1.0)
    angle = math.radians(augmentation.rotate) * (2 * u[1] - 1)
    # Whole offsets 0..room, or room..0 where the crop is larger than the image.
    room = scaled - crop
    offset = tf.math.floor(u[2:4] * (tf.abs(room) + 1)) * tf.sign(room)
    mirrored = (u[4] < 0.5) if augmentation.mirror else tf.constant(False)
    ratio = size / scaled
    cos, sin = tf.cos(angle), tf.sin(angle)
    if augmentation.class_crops:
        found, pixel = _class_pixel(label, augmentation, fold(key, _CLASS_CROPS))
        # Where the pixel lies in the scaled and rotated image, then the crop that it is amid.
        y, x = tf.unstack((pixel - (size - 1) / 2) / ratio)
        turned = tf.stack([cos * y - sin * x, cos * x + sin * y]) + (scaled - 1) / 2
        centred = tf.round(turned - (crop - 1) / 2)
        centred = tf.clip_by_value(centred, tf.minimum(room, 0), tf.maximum(room, 0))
        offset = tf.where(found, centred, offset)

    # Crop to scaled image, from its centre: (flip*x + left, y + top); then rotated; then scaled.
    flip = tf.where(mirrored, tf.constant(-1.0, tf.float64), 1.0)
    left = offset[1] + tf.where(mirrored, crop[1] - 1, 0.0) - (scaled[1] - 1) / 2
    top = offset[0] - (scaled[0] - 1) / 2
    right = tf.stack([cos * flip, -sin, cos * left - sin * top]) * ratio[1]
    down = tf.stack([sin * flip, cos, sin * left + cos * top]) * ratio[0]
    centre = tf.reshape((size - 1) / 2, [2, 1])
    return tf.stack([right, down]) + tf.pad(centre[::-1], [[0, 0], [2, 0]])


def _class_pixel(label, augmentation, key):
    """Whether a crop is to be centred on a class, and float64 [row, column] of the pixel."""
    u = tf.random.stateless_uniform([3], key, dtype=tf.float64, alg="philox")
    odds = tf.constant(augmentation.class_odds, tf.float64)
    count = len(augmentation.class_odds)

    def place():
        values = tf.reshape(tf.cast(label, tf.int32), [-1])
        shown = tf.math.bincount(values, minlength=256, maxlength=256)[:count] > 0
        ends = tf.cumsum(tf.where(shown, odds, 0))
        drawn = tf.searchsorted(ends, u[1:2] * ends[-1], side="right")[0]
        places = tf.where(tf.cast(label, tf.int32) == drawn)
        # None of the classes may be there: then there is no place, and drawn is `count`.
        number = tf.shape(places)[0]
        chosen = tf.cast(u[2] * tf.cast(number, tf.float64), tf.int32)
        places = tf.concat([places, tf.zeros([1, 2], tf.int64)], 0)
        return ends[-1] > 0, tf.cast(places[chosen], tf.float64)

    never = (tf.constant(False), tf.zeros([2], tf.float64))
    return tf.cond(u[0] < augmentation.class_crops, place, lambda: never)


def warp(image, label, matrix, crop_size, normalize, ignore_label):
    """Shows an image and its label map through an affine map.

    Args:
        image: uint8 [H, W, 3].
        label: uint8 [H, W].
        matrix: float64 [2, 3], as `random_matrix` gives it.
        crop_size: (height, width) of the result.
        normalize: function of float32 RGB 0..255 images to float32 normalised images, of any number
            of channels, in which padding is zero.
        ignore_label: what pads the label map.

    Returns:
        float32 [height, width, channels], bilinear, and int32 [height, width], nearest.
    """
    image, label, matrix = _needed_window(image, label, matrix, crop_size)
    transform = tf.concat([tf.reshape(matrix, [6]), [0.0, 0.0]], 0)
    transform = tf.cast(transform, tf.float32)[None]

    def project(pixels, interpolation, fill):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=pixels[None],
            transforms=transform,
            output_shape=crop_size,
            interpolation=interpolation,
            fill_mode="CONSTANT",
            fill_value=float(fill),
        )[0]

    image = project(normalize(tf.cast(image, tf.float32)), "BILINEAR", 0)
    label = project(label[..., None], "NEAREST", ignore_label)[..., 0]
    image = tf.ensure_shape(image, [*crop_size, image.shape[-1]])
    return image, tf.cast(tf.ensure_shape(label, crop_size), tf.int32)


def _needed_window(image, label, matrix, crop_size):
    """The part of image and label that the crop shows, and the map to it.

    The rest need not be normalised; of a large image that is most.
    """
    size = tf.shape(label)
    reach = matrix[:, :2] * tf.constant([[crop_size[1] - 1, crop_size[0] - 1]], tf.float64)
    lowest = matrix[:, 2] + tf.reduce_sum(tf.minimum(reach, 0), 1)
    highest = matrix[:, 2] + tf.reduce_sum(tf.maximum(reach, 0), 1)
    # From (x, y) to (row, column); one pixel more on each side for interpolation and rounding.
    start = tf.cast(tf.math.floor(lowest), tf.int32)[::-1] - 1
    stop = tf.cast(tf.math.ceil(highest), tf.int32)[::-1] + 2
    start = tf.clip_by_value(start, 0, size - 1)
    stop = tf.clip_by_value(stop, start + 1, size)
    moved = matrix[:, 2:] - tf.cast(start[::-1], tf.float64)[:, None]
    matrix = tf.concat([matrix[:, :2], moved], 1)
    image = image[start[0] : stop[0], start[1] : stop[1]]
    label = label[start[0] : stop[0], start[1] : stop[1]]
    return image, label, matrix
