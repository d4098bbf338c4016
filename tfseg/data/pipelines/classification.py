"""Image classification: folders of images with a subfolder for each class, and their pipelines."""

import dataclasses
import math
import os

import numpy as np
import tensorflow as tf
from absl import logging

from tfseg.data.augment.chain import Chain
from tfseg.data.augment.photometric import jitter
from tfseg.data.graph import mapped
from tfseg.data.lists import ImageList
from tfseg.data.order import Shuffled, epoch_key, fold
from tfseg.data.pipelines.loading import finish, image_loader
from tfseg.data.pipelines.segmentation import numbered_dataset
from tfseg.data.pipelines.warp import full_cover
from tfseg.errors import TfsegError
from tfseg.words import counted

_ENDINGS = (".jpg", ".jpeg", ".png")


@dataclasses.dataclass(frozen=True)
class ClassifiedImages(ImageList):
    """The images of a split with their classes.

    Attributes:
        targets: the class index of each image.
    """

    targets: list | None = None


def list_classes(data_dir, split="train"):
    """The class names of `data_dir`/`split`: its subfolders in alphabetical order.

    Raises:
        TfsegError: there is no such folder, or it has no subfolders.
    """
    root = os.path.join(data_dir, split)
    if not os.path.isdir(root):
        raise TfsegError(f"there is no folder {root}: it should have a subfolder for each class")
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    if not names:
        raise TfsegError(f"{root} has no subfolders: there should be one for each class")
    return names


def read_class_folders(data_dir, split, classes):
    """The images `data_dir`/`split`/CLASS/….

    Args:
        data_dir: the data folder.
        split: "train", "val" or any other name.
        classes: class names in index order; a class without a folder has no images.

    Returns:
        `ClassifiedImages`.

    Raises:
        TfsegError: no folder, one without images, or a folder of an unknown class.
    """
    folders = set(list_classes(data_dir, split))
    unknown = sorted(folders - set(classes))
    root = os.path.abspath(os.path.join(data_dir, split))
    if unknown:
        raise TfsegError(f"{root} has the folder {unknown[0]}, which is none of the classes")
    names, targets = [], []
    for index, name in enumerate(classes):
        if name not in folders:
            continue
        folder = os.path.join(root, name)
        files = sorted(file for file in os.listdir(folder) if file.lower().endswith(_ENDINGS))
        if not files:
            raise TfsegError(f"{folder} has no images (.jpg or .png)")
        names += [f"{name}/{file}" for file in files]
        targets += [index] * len(files)
    missing = [name for name in classes if name not in folders]
    if missing:
        some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        logging.warning("%s has no images of %s: %s", root, counted(len(missing), "class"), some)
    images = [os.path.join(root, name) for name in names]
    return ClassifiedImages(root, images, None, names, targets=targets)


@dataclasses.dataclass(frozen=True)
class RandomResizedCrop:
    """What training does to its images (Szegedy et al., "Going Deeper with Convolutions", CVPR
    2015, section 6).

    A part of the image, 8 to 100 % of its area with sides in a ratio of 3:4 to 4:3, is resized to
    the crop, and mirrored half of the time. Where ten such parts in a row don't fit the image, it
    is the largest central one.

    Attributes:
        crop_size: (height, width) of the samples.
        color_jitter: brightness, contrast and saturation are each multiplied by a factor drawn
            from 1 - color_jitter to 1 + color_jitter; 0 to 1.
        mirror: whether to mirror left and right.
    """

    crop_size: tuple
    color_jitter: float = 0.4
    mirror: bool = True

    def __call__(self, image, key):
        """A sample of an image.

        Args:
            image: uint8 [H, W, 3].
            key: int [2]: the randomness is a function of it alone.

        Returns:
            float32 [*crop_size, 3] in 0..255.
        """
        u = tf.random.stateless_uniform([26], key, alg="philox")
        top, left, height, width = self._part(tf.shape(image), u)
        part = image[top : top + height, left : left + width]
        part = tf.image.resize(part, self.crop_size, antialias=True)
        if self.mirror:
            part = tf.where(u[22] < 0.5, part[:, ::-1], part)
        if self.color_jitter:
            part = jitter(part, 1 + self.color_jitter * (2 * u[23:26] - 1))
        return tf.ensure_shape(part, [*self.crop_size, 3])

    def _part(self, shape, u):
        """(top, left, height, width) of the part that is shown."""
        size = tf.cast(shape[:2], tf.float32)
        area = size[0] * size[1] * (0.08 + 0.92 * u[:10])
        ratio = tf.exp(math.log(4 / 3) * (2 * u[10:20] - 1))
        heights, widths = tf.round(tf.sqrt(area / ratio)), tf.round(tf.sqrt(area * ratio))
        fits = (heights <= size[0]) & (widths <= size[1]) & (heights >= 1) & (widths >= 1)
        first = tf.argmax(tf.cast(fits, tf.int32))
        central = tf.minimum(size, size[::-1] * 4 / 3)
        found = tf.stack([heights[first], widths[first]])
        found = tf.where(fits[first], found, tf.maximum(tf.floor(central), 1))
        offset = tf.where(fits[first], tf.floor(u[20:22] * (size - found + 1)), (size - found) // 2)
        height, width = tf.unstack(tf.cast(found, tf.int32))
        top, left = tf.unstack(tf.cast(offset, tf.int32))
        return top, left, height, width


def central_crop(image, resize, crop_size):
    """The short side resized to `resize`, and of that the centre.

    Args:
        image: uint8 or float [H, W, 3].
        resize: length of the short side in pixels, at least the crop's sides.
        crop_size: (height, width).

    Returns:
        float32 [*crop_size, 3] in 0..255.
    """
    size = tf.shape(image)[:2]
    # In whole numbers, rounded half up: the same for every image of one shape.
    target = (2 * size * resize + tf.reduce_min(size)) // (2 * tf.reduce_min(size))
    image = tf.image.resize(image, target, antialias=True)
    top, left = tf.unstack((target - tf.constant(crop_size)) // 2)
    image = image[top : top + crop_size[0], left : left + crop_size[1]]
    return tf.ensure_shape(image, [*crop_size, 3])


def class_train_dataset(
    images,
    augmentation,
    preprocessing,
    *,
    batch_size,
    seed,
    first_sample=0,
    block=None,
    transforms="",
):
    """Augmented, shuffled images without end; sample by sample a function of their number alone.

    Args:
        images: `ClassifiedImages`.
        augmentation: `RandomResizedCrop`.
        preprocessing, batch_size, seed, first_sample, block, transforms: as for `train_dataset`.

    Returns:
        Dataset of (images float32 [batch_size, h, w, 3], normalised, classes int32 [batch_size]).
    """
    order, load = Shuffled(len(images), seed), image_loader(images)
    targets = tf.constant(images.targets, tf.int32)

    def show(index, key, normalize):
        image = normalize(augmentation(load(index), key))
        return image, tf.gather(targets, index), full_cover()

    chain = Chain(transforms, preprocessing, show, len(images))

    def sample(number):
        epoch, index = order(number)
        return chain(index, fold(epoch_key(seed, epoch), index))

    return numbered_dataset(sample, batch_size, first_sample, block)


def class_eval_dataset(images, resize, crop_size, preprocessing, batch_size):
    """Central crops in the list's order, every image once.

    Returns:
        Dataset of (images float32 [N, h, w, 3], normalised, classes int32 [N]); the last batch
        may be smaller.
    """
    load = image_loader(images)
    targets = np.asarray(images.targets, np.int32)

    def sample(index, target):
        image = central_crop(load(index), resize, crop_size)
        return preprocessing.normalize(image), target

    indices = np.arange(len(images), dtype=np.int64)
    dataset = tf.data.Dataset.from_tensor_slices((indices, targets))
    dataset = mapped(dataset, sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return finish(dataset.batch(batch_size))


def class_sample_files(images, seed, first_sample, count):
    """The names of the files that `class_train_dataset` shows as samples first_sample, …."""
    with tf.device("CPU"):
        order = Shuffled(len(images), seed)
        numbers = tf.range(first_sample, first_sample + count, dtype=tf.int64)
        return [images.names[int(order(number)[1])] for number in numbers]
