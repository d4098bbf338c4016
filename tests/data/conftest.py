"""A small data folder on disk, and a preprocessing that changes nothing."""

import functools

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo
from tfseg.models import Preprocessing


@pytest.fixture
def identity():
    """Images come out as their values in 0..255, and padding as zero."""
    return Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1.0)


@pytest.fixture
def make_folder(write_folder, tmp_path):
    """`write_folder` with the test's own folder."""
    return functools.partial(write_folder, tmp_path)


@pytest.fixture(scope="session")
def write_folder():
    """A function that writes pairs whose image shows its own label: value 20 * label + 10.

    Returns the folder; `sizes` are (height, width), one per pair.
    """

    def make(folder, sizes, num_classes=4, split="train", seed=0):
        rng = np.random.default_rng(seed)
        images, labels = [], []
        for number, (height, width) in enumerate(sizes):
            # Blocks of 4x4, so that interpolated edges don't make up most of the image.
            blocks = rng.integers(0, num_classes, (-(-height // 4), -(-width // 4)), np.uint8)
            label = blocks.repeat(4, 0).repeat(4, 1)[:height, :width]
            image = np.stack([20 * label + 10] * 3, -1)
            images.append(f"{split}/{number}.png")
            labels.append(f"{split}/{number}_label.png")
            (folder / split).mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / images[-1])
            Image.fromarray(label).save(folder / labels[-1])
        (folder / f"{split}_images.txt").write_text("\n".join(images) + "\n")
        (folder / f"{split}_labels.txt").write_text("\n".join(labels) + "\n")
        names = [f"kind {index}" for index in range(num_classes)]
        DataInfo((0.1, 0.2, 0.3), (0.2, 0.2, 0.2), names).save(folder)
        return folder

    return make
