"""Augmentation: scale, rotation, crop and mirror as one projective transform.

Image and label go through the same matrix, so that they can't come apart, and only the crop's
pixels are ever computed. All randomness is stateless: a function of a key alone.
"""

import dataclasses
import math
import zlib

import tensorflow as tf

from tfseg.checks import are_whole, require_number
from tfseg.data.augment.geometry import FILLS, PAD_PLACES, SCALE_FILTERS
from tfseg.data.order import Shuffled, fold
from tfseg.data.pipelines.warp import show, unscaled
from tfseg.errors import TfsegError, unknown

# What the key of a sample is folded with for crops on classes.
_CLASS_CROPS = zlib.crc32(b"class_crops")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What training does to its samples.

    The image is scaled by a factor drawn uniformly from `scale_range`, or one of `scale_choices`,
    rotated about its centre by an angle drawn uniformly from [-rotate, rotate], and mirrored with
    probability 1/2 if `mirror`. The crop lies uniformly at any whole-pixel offset within the scaled
    image; along an axis where that is smaller than the crop, the whole of it lies within the crop,
    at `pad_place`. What lies outside of the image has the ignore label.

    Attributes:
        crop_size: (height, width) of the samples; one number means a square.
        scale_range: (smallest, largest) factor, positive.
        rotate: largest angle in degrees, 0..180.
        mirror: whether to mirror left and right.
        scale_choices: factors, each as likely, in place of `scale_range`.
        pad_place: where an image lies that is smaller than the crop: anywhere ("random"), amid
            ("even": DRN's code), or with all padding behind it ("bottom_right": DeepLab's).
        fill: what the image shows outside of its edges: the mean colour, which normalises to zero
            ("mean"), or itself, mirrored about its outermost pixels ("reflect": DRN's code).
        scale_filter: "bilinear" does not smooth, so that factors well below 1/2 alias;
            "lanczos_cubic" reduces by Lanczos and enlarges by a cubic, as Pillow does, in whole
            levels (DRN's code); "legacy" is bilinear, where pixel 0 lies on pixel 0 (DeepLab's
            TensorFlow 1 codes).
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
    scale_choices: tuple = ()
    pad_place: str = "random"
    fill: str = "mean"
    scale_filter: str = "bilinear"

    def __post_init__(self):
        size = self.crop_size
        size = (size, size) if isinstance(size, int) else tuple(size)
        if len(size) != 2 or not are_whole(size, 1):
            raise TfsegError(f"`crop_size` must be positive (height, width), not {self.crop_size}")
        object.__setattr__(self, "crop_size", size)
        scales = tuple(float(x) for x in self.scale_range)
        if len(scales) != 2 or not 0 < scales[0] <= scales[1] < math.inf:
            raise TfsegError(
                f"`scale_range` must be two factors, 0 < smallest <= largest, "
                f"not {self.scale_range}"
            )
        object.__setattr__(self, "scale_range", scales)
        choices = tuple(float(x) for x in self.scale_choices)
        if not all(0 < x < math.inf for x in choices) or (choices and scales != (1, 1)):
            raise TfsegError(
                f"`scale_choices` must be factors above 0, in place of `scale_range`, not {choices}"
            )
        object.__setattr__(self, "scale_choices", choices)
        for name, known in (
            ("pad_place", PAD_PLACES),
            ("fill", FILLS),
            ("scale_filter", SCALE_FILTERS),
        ):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        require_number("rotate", self.rotate, 0, 180)
        require_number("class_crops", self.class_crops, 0, 1)

    def sampler(self, image_list, batch_size, seed):
        """How samples are made from an `ImageList`: see `CropSampler`.

        Raises:
            TfsegError: `scale_filter` resizes in levels, which its images haven't got.
        """
        if self.scale_filter == "lanczos_cubic" and not image_list.bands.in_levels:
            raise TfsegError(
                "`scale_filter=lanczos_cubic` computes in 8 bits: it is for values in 0..255, not "
                f"{image_list.bands.describe()}"
            )
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
        matrix, scaled = random_view(tf.shape(label), self.augmentation, key, label)
        return show(image, label, matrix, scaled, self.augmentation, normalize, ignore_label)


def random_view(size, augmentation, key, label=None):
    """The affine map from a crop's pixels to the pixels of its scaled image.

    Pixel centres are whole numbers, so that pixel 0 reaches from -0.5 to 0.5. A pixel (x, y) of
    the crop shows the scaled image at (a*x + b*y + c, d*x + e*y + f).

    Args:
        size: [height, width] of the image, a tensor.
        augmentation: `Augmentation`.
        key: int [2]: the randomness is a function of it alone.
        label: uint8 [height, width], needed with `class_crops`.

    Returns:
        float64 [[a, b, c], [d, e, f]], at angle 0 whole numbers exactly, and float64 [height,
        width] of the scaled image.
    """
    u = tf.random.stateless_uniform([5], key, dtype=tf.float64, alg="philox")
    size = tf.cast(size, tf.float64)
    crop = tf.constant(augmentation.crop_size, tf.float64)
    scaled = tf.maximum(tf.round(size * _scale(augmentation, u[0])), 1.0)
    angle = math.radians(augmentation.rotate) * (2 * u[1] - 1)
    # Whole offsets 0..room, or room..0 where the crop is larger than the image.
    room = scaled - crop
    offset = tf.math.floor(u[2:4] * (tf.abs(room) + 1)) * tf.sign(room)
    before = PAD_PLACES[augmentation.pad_place]
    if before is not None:
        offset = tf.where(room < 0, -tf.math.floor(-room * before), offset)
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
        if augmentation.pad_place != "random":
            centred = tf.where(room < 0, offset, centred)
        offset = tf.where(found, centred, offset)

    # Crop to scaled image, from its centre: (flip*x + left, y + top); then rotated.
    flip = tf.where(mirrored, tf.constant(-1.0, tf.float64), 1.0)
    left = offset[1] + tf.where(mirrored, crop[1] - 1, 0.0) - (scaled[1] - 1) / 2
    top = offset[0] - (scaled[0] - 1) / 2
    right = tf.stack([cos * flip, -sin, cos * left - sin * top])
    down = tf.stack([sin * flip, cos, sin * left + cos * top])
    centre = tf.reshape((scaled - 1) / 2, [2, 1])
    return tf.stack([right, down]) + tf.pad(centre[::-1], [[0, 0], [2, 0]]), scaled


def _scale(augmentation, u):
    """The factor that a number in 0..1 stands for."""
    if augmentation.scale_choices:
        choices = tf.constant(augmentation.scale_choices, tf.float64)
        return choices[tf.cast(u * len(augmentation.scale_choices), tf.int32)]
    smallest, largest = augmentation.scale_range
    return smallest + (largest - smallest) * u


def random_matrix(size, augmentation, key, label=None):
    """As `random_view`, the map to the pixels of the image before its scaling, alone."""
    matrix, scaled = random_view(size, augmentation, key, label)
    return unscaled(matrix, tf.cast(size, tf.float64) / scaled)


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
