"""A data set that draws itself: small street scenes, for the demo and for first steps."""

import os

import numpy as np
from PIL import Image

from tfseg.data.info import FILE_NAME, DataInfo
from tfseg.data.lists import write_split
from tfseg.data.prepare.convert import save_png
from tfseg.data.prepare.earlier import stale_splits
from tfseg.data.prepare.folders import image_statistics
from tfseg.data.prepare.scene import CLASSES, IGNORE, draw_scene


def write_sample_dataset(data_dir, seed=0, train=96, val=24, size=(128, 192)):
    """Writes the sample data set: images, label maps, lists and info.json.

    Args:
        data_dir: folder to write; a sample data set that is there is replaced, no other's lists.
        seed: integer that all scenes depend on.
        train: number of training scenes.
        val: number of validation scenes.
        size: (height, width) of the scenes.

    Returns:
        {split: number of images} and the `DataInfo` that was written.

    Raises:
        TfsegError: the folder can't be written, or lists other images.
    """
    counts = {"train": train, "val": val}
    listed = {
        split: [f"images/{split}/{index:04d}.png" for index in range(count)]
        for split, count in counts.items()
    }
    if not _is_sample(data_dir):
        stale_splits(data_dir, listed)
    for number, (split, images) in enumerate(listed.items()):
        count = len(images)
        labels = [f"labels/{split}/{index:04d}.png" for index in range(count)]
        for index in range(count):
            image, label = draw_scene(np.random.default_rng([seed, number, index]), size)
            save_png(Image.fromarray(image), os.path.join(data_dir, images[index]))
            save_png(Image.fromarray(label), os.path.join(data_dir, labels[index]))
        write_split(data_dir, split, images, labels)
        if split == "train":
            mean, std = image_statistics([os.path.join(data_dir, name) for name in images])
    info = DataInfo(mean, std, list(CLASSES), list(CLASSES.values()), IGNORE)
    info.save(data_dir)
    return counts, info


def _is_sample(data_dir):
    """Whether a data folder is one that was drawn, however many scenes it has."""
    there = os.path.isfile(os.path.join(data_dir, FILE_NAME))
    return there and DataInfo.load(data_dir).classes == list(CLASSES)
