"""Checks a data folder before time is spent on training with it."""

import collections
import dataclasses
import os
from concurrent import futures

import numpy as np
from PIL import Image

from tfseg.data.files import check_label, read_label, reading
from tfseg.data.info import DataInfo
from tfseg.data.labels import describe_values, label_table
from tfseg.data.lists import read_split
from tfseg.errors import TfsegError

# How many pairs of a split the quick check decodes.
_QUICK_SAMPLE = 8


@dataclasses.dataclass
class SplitCheck:
    """What was found in one split.

    Attributes:
        pairs: how many images it lists.
        sizes: {(width, height): number of images}.
        pixels: int64 [num_classes], labelled pixels of each class in what was decoded.
        ignored: pixels with the ignore label.
    """

    pairs: int
    sizes: collections.Counter
    pixels: np.ndarray
    ignored: int = 0


@dataclasses.dataclass
class CheckReport:
    """The result of `check_dataset`.

    Attributes:
        errors: one line each for what is wrong; empty if nothing is.
        splits: {split: `SplitCheck`} of those whose lists could be read.
        classes: a name per class.
        quick: whether only a sample of the files was decoded.
    """

    errors: list
    splits: dict
    classes: list
    quick: bool

    @property
    def frequencies(self):
        """{split: float64 [num_classes]}: each class's share of the pixels that count."""
        return {
            name: split.pixels / max(split.pixels.sum(), 1) for name, split in self.splits.items()
        }

    def table(self):
        """The splits and their class frequencies as text."""
        lines = [f"{'split':<12}{'images':>8}{'ignored':>10}  sizes (width x height)"]
        for name, split in self.splits.items():
            total = split.pixels.sum() + split.ignored
            lines.append(
                f"{name:<12}{split.pairs:>8}{split.ignored / max(total, 1):>10.2%}  "
                f"{_describe_sizes(split.sizes)}"
            )
        width = max([len(name) for name in self.classes] + [12])
        heads = "".join(f"{name:>12}" for name in self.splits)
        title = "share of labels" if not self.quick else "share (sample)"
        lines += ["", f"{'':>4} {title:<{width}}{heads}"]
        frequencies = self.frequencies
        for index, name in enumerate(self.classes):
            shares = "".join(f"{frequencies[split][index]:>12.3%}" for split in self.splits)
            lines.append(f"{index:>4} {name:<{width}}{shares}")
        return "\n".join(lines)


def check_dataset(data_dir, num_classes=None, splits=("train", "val"), quick=False):
    """Checks that every file exists, decodes, matches its partner in size and has valid labels.

    Args:
        data_dir: folder with lists and info.json.
        num_classes: how many classes the labels may have; None or 0: as info.json names.
        splits: the splits to check.
        quick: of all files read only the headers (existence, kind, sizes), and decode a few pairs
            of each split, evenly spread.

    Returns:
        `CheckReport`; files that are wrong are among its `errors`.

    Raises:
        TfsegError: info.json is missing or wrong, or does not say how many classes there are.
    """
    info = DataInfo.load(data_dir)
    num_classes = num_classes or len(info.classes or [])
    if not num_classes:
        raise TfsegError(
            f'how many classes? {data_dir}/info.json has no class names: add them as "classes", '
            "or give --num_classes"
        )
    names = (info.classes or [])[:num_classes]
    names += [f"class {index}" for index in range(len(names), num_classes)]
    table = label_table(num_classes, info.label_map, info.ignore_label)
    report = CheckReport(errors=[], splits={}, classes=names, quick=quick)
    for name in splits:
        try:
            image_list = read_split(data_dir, name)
        except TfsegError as error:
            report.errors.append(str(error))
            continue
        pairs = list(zip(image_list.images, image_list.labels, strict=True))
        whole = set(range(len(pairs)))
        if quick:
            whole = set(np.linspace(0, len(pairs) - 1, _QUICK_SAMPLE).astype(int).tolist())
        split = SplitCheck(len(pairs), collections.Counter(), np.zeros(num_classes, np.int64))
        with futures.ThreadPoolExecutor(min(32, 2 * (os.cpu_count() or 1))) as pool:
            results = pool.map(
                lambda number, pair, whole=whole: _check_pair(
                    *pair, table, info.ignore_label, number in whole
                ),
                *(range(len(pairs)), pairs),
            )
            for errors, size, counts in results:
                report.errors += errors
                split.sizes.update([size] if size else [])
                split.ignored += int(counts[table == info.ignore_label].sum())
                for value in np.flatnonzero((table >= 0) & (table != info.ignore_label)):
                    split.pixels[table[value]] += counts[value]
        report.splits[name] = split
    return report


def _check_pair(image_path, label_path, table, ignore_label, whole):
    """Errors, the image's (width, height) or None, and pixels per value of the label file [256]."""
    errors, counts = [], np.zeros(256, np.int64)
    size = label_size = values = None
    try:
        size = image_size(image_path, whole)
    except TfsegError as error:
        errors.append(str(error))
    try:
        if whole:
            values = read_label(label_path)
            label_size = values.shape[::-1]
        else:
            label_size = check_label(label_path)
    except TfsegError as error:
        errors.append(str(error))
    if not errors and size != label_size:
        errors.append(
            f"image {image_path} is {size[0]}x{size[1]}, "
            f"but its label map {label_path} is {label_size[0]}x{label_size[1]}"
        )
    if values is not None:
        counts = np.bincount(values.ravel(), minlength=256)
        for value in np.flatnonzero((table < 0) & (counts > 0)):
            errors.append(
                f"label map {label_path} has the value {value} in {counts[value]} pixels; "
                f"allowed are {describe_values(table, ignore_label)}"
            )
    return errors, None if errors else size, counts


def image_size(path, whole=False):
    """The (width, height) of an image file, from its header.

    Args:
        path: the file.
        whole: decode all of it.

    Raises:
        TfsegError: there is no such file, or it is not a whole PNG or JPEG file.
    """
    with reading(path), Image.open(path) as image:
        if image.format not in ("PNG", "JPEG"):
            raise TfsegError(f"image {path} is a {image.format} file; PNG or JPEG is needed")
        if whole:
            image.load()
        return image.size


def _describe_sizes(sizes):
    common = [f"{width}x{height}" for (width, height), _ in sizes.most_common(3)]
    more = len(sizes) - len(common)
    return ", ".join(common) + (f" and {more} more" if more else "")
