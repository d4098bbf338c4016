"""Brings data sets into the form that the pipelines read: lists, index PNGs, info.json."""

import dataclasses
import os
from concurrent import futures

import numpy as np
from PIL import Image

from tfseg.data.catalog import DATASETS
from tfseg.data.files import read_label, read_rgb
from tfseg.data.info import FILE_NAME, DataInfo
from tfseg.data.lists import read_split, write_list
from tfseg.errors import TfsegError, unknown
from tfseg.files import atomic_write


def prepare_dataset(name, source, data_dir, size=None, progress=None):
    """Writes a known data set below `data_dir`; the source is only read.

    Images are copied byte for byte, or with `size` resized (bilinear, smoothed for reduction) and
    stored as PNG. Label maps become 8-bit grey PNG of class indices and the ignore label; a
    smaller one takes the values at its cells' centres. Everything written replaces what was
    there, file by file, and info.json comes last.

    Args:
        name: a key of `catalog.DATASETS`.
        source: folder of the original's files.
        data_dir: folder to write.
        size: (width, height), or None to keep the images' own.
        progress: called as progress(done, total) after each image.

    Returns:
        {split: number of images} and the `DataInfo` that was written.

    Raises:
        TfsegError: unknown name, missing or damaged source files, unknown label values.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    dataset = DATASETS[name]
    if not source or not os.path.isdir(source):
        raise TfsegError(f"there is no source folder {source}")
    if os.path.realpath(source) == os.path.realpath(data_dir):
        raise TfsegError(f"source and data_dir are both {source}; the source must stay as it is")
    splits = dataset.layout.read(source)
    jobs = []
    for split, image_list in splits.items():
        images = [_stored_name("images", name, keep=size is None) for name in image_list.names]
        labels = [_stored_name("labels", name, keep=False) for name in image_list.names]
        jobs += zip(image_list.images, image_list.labels, images, labels, strict=True)
        write_list(os.path.join(data_dir, f"{split}_images.txt"), images)
        write_list(os.path.join(data_dir, f"{split}_labels.txt"), labels)

    def convert(job):
        image_path, label_path, image_name, label_name = job
        convert_image(image_path, os.path.join(data_dir, image_name), size)
        convert_label(label_path, os.path.join(data_dir, label_name), dataset, size)

    _in_parallel(convert, jobs, progress)
    mean, std = image_statistics(read_split(data_dir, "train").images)
    info = DataInfo(
        mean,
        std,
        classes=dataset.classes,
        palette=dataset.palette,
        ignore_label=dataset.ignore_label,
    )
    info.save(data_dir)
    return {split: len(image_list) for split, image_list in splits.items()}, info


def measure_folder(data_dir):
    """Computes mean and std of a folder's training images into its info.json.

    The other entries of an info.json that is there already are kept.

    Returns:
        {"train": number of images} and the `DataInfo` that was written.

    Raises:
        TfsegError: no training list, or an image that can't be decoded.
    """
    images = read_split(data_dir, "train", labels=False).images
    mean, std = image_statistics(images)
    if os.path.exists(os.path.join(data_dir, FILE_NAME)):
        info = dataclasses.replace(DataInfo.load(data_dir), mean=mean, std=std)
    else:
        info = DataInfo(mean, std)
    info.save(data_dir)
    return {"train": len(images)}, info


def image_statistics(paths):
    """Mean and standard deviation over all pixels of some images.

    Pixels are counted by value, so the result is exact to the rounding of float64 and does not
    depend on the order of the files.

    Args:
        paths: image files.

    Returns:
        Two RGB tuples, as fractions of one.

    Raises:
        TfsegError: an image can't be decoded.
    """

    def count(path):
        channels = np.moveaxis(read_rgb(path), -1, 0)
        return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in channels])

    counts = sum(_in_parallel(count, paths))
    values = np.arange(256) / 255
    total = counts.sum(axis=1)
    mean = counts @ values / total
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / total
    return tuple(map(float, mean)), tuple(map(float, np.sqrt(variance)))


def convert_image(source, target, size):
    """Copies an image, or stores it resized to (width, height) as PNG."""
    if size is None:
        try:
            with open(source, "rb") as file:
                contents = file.read()
        except OSError as error:
            raise TfsegError(f"can't read {source}: {error.strerror or error}") from error
        with atomic_write(target) as file:
            file.write(contents)
        return
    image = Image.fromarray(read_rgb(source))
    save_png(image.resize(size, Image.Resampling.BILINEAR), target)


def convert_label(source, target, dataset, size):
    """Stores a label map as 8-bit grey PNG, with the catalog's mapping of values."""
    values = read_label(source)
    table = np.arange(256, dtype=np.uint8)
    table[list(dataset.label_map)] = list(dataset.label_map.values())
    values = table[values]
    wrong = values[(values >= len(dataset.classes)) & (values != dataset.ignore_label)]
    if wrong.size:
        raise TfsegError(
            f"label map {source} has the value {wrong[0]} in {np.sum(wrong == wrong[0])} pixels, "
            f"which {dataset.title} does not have"
        )
    label = Image.fromarray(values)
    if size is not None:
        label = label.resize(size, Image.Resampling.NEAREST)
    save_png(label, target)


def save_png(image, path):
    """Writes a PIL image as PNG, atomically."""
    with atomic_write(path) as file:
        # Three times as fast as the default level, for files 8% larger.
        image.save(file, "PNG", compress_level=3)


def _stored_name(folder, name, keep):
    """Where an image or label map of the source's name goes, below the data folder."""
    stem, extension = os.path.splitext(name)
    return f"{folder}/{stem}{extension if keep else '.png'}"


def _in_parallel(function, jobs, progress=None):
    # Pillow leaves Python's lock while it decodes, scales and encodes, so threads suffice.
    with futures.ThreadPoolExecutor(min(32, 2 * (os.cpu_count() or 1))) as pool:
        pending = [pool.submit(function, job) for job in jobs]
        results = []
        try:
            for done, job in enumerate(pending, 1):
                results.append(job.result())
                if progress:
                    progress(done, len(pending))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
