"""Writing a data folder from the files of a release, or of any other folder."""

import dataclasses
import functools
import os
from collections.abc import Callable

import numpy as np
from absl import logging
from PIL import Image

from tfseg.bands import RGB
from tfseg.data.catalog import DATASETS, Dataset
from tfseg.data.info import FILE_NAME, DataInfo
from tfseg.data.lists import read_split, remove, shard_index, write_split
from tfseg.data.prepare.bands import Moments, survey_bands
from tfseg.data.prepare.class_weights import class_weights
from tfseg.data.prepare.convert import (
    convert_image,
    convert_label,
    extension,
    in_parallel,
    is_graph_format,
    read_label,
    upright_size,
    write_label,
)
from tfseg.data.prepare.earlier import (
    keep_sources,
    remove_lists,
    require_same_source,
    stale_splits,
    with_training_statistics,
)
from tfseg.data.prepare.formats.found import Item
from tfseg.data.prepare.stored import Stored, load_stored, save_stored
from tfseg.data.prepare.tiling import Piece
from tfseg.errors import TfsegError
from tfseg.outputs import OutputFolder, ending, stems
from tfseg.parts import PartFiles, Unfinished, file_marks, interleave
from tfseg.words import counted


@dataclasses.dataclass(frozen=True)
class Pair:
    """An image to store.

    Attributes:
        split: the split that it belongs to.
        stem: what it is called, with its folders and without an ending; as from
            `tfseg.outputs.stems`, no other's.
        extension: of the file, where it is copied; None for the image's own, where the pipelines
            decode its kind.
        image: path, the file's bytes, or a `tiling.Piece`, which has the labels too.
        label: path of a PNG or .mat file, an array of values or colours, a function of (width,
            height) to class indices, or None.
    """

    split: str
    stem: str
    extension: str | None
    image: str | bytes | Piece
    label: str | np.ndarray | Callable[[tuple], np.ndarray] | None = None


def prepare_dataset(name, source, data_dir, size=None, in_place=False, progress=None, *, part=None):
    """Writes a known data set below `data_dir`; the source is only read.

    Images are copied byte for byte, or with `size` resized (bilinear, smoothed for reduction) and
    stored as PNG. Label maps become 8-bit grey PNG of class indices and the ignore label; a
    smaller one takes the values at its cells' centres. Everything written replaces what was
    there, file by file, and info.json comes last.

    Args:
        name: a key of `catalog.DATASETS`.
        source: folder of the original's files, or a list of folders.
        data_dir: folder to write.
        size: (width, height), or None to keep the images' own.
        in_place: write lists of the source's own files, and their label values' meaning as the
            `label_map` of info.json, instead of copies.
        progress: called as progress(done, total) after each image.
        part: which share of the files to convert; None for all. The one that ends last writes the
            lists and info.json, the same that a call for all writes.

    Returns:
        {split: number of images} and the `DataInfo` that was written; `Unfinished` while other
        parts are missing.

    Raises:
        TfsegError: unknown name, missing or damaged source files, unknown label values, or a
            release whose label maps can't be read in place.
    """
    row = DATASETS.find(name)
    sources = [source] if isinstance(source, str | os.PathLike) else list(source or [])
    sources = [os.path.abspath(one) for one in sources]
    _check_source(sources, data_dir)
    if len(sources) > row.sources:
        raise TfsegError(f"{name} has {row.sources} `source` folder, not {len(sources)}")
    splits = row.load()(*sources, **row.layout)
    for split, chosen in splits.items():
        published = row.images.get(split, len(chosen))
        if len(chosen) != published:
            logging.warning(
                "%s: %s for %s; %s was published with %d",
                *(sources[0], counted(len(chosen), "image"), split, row.help, published),
            )
    return store(splits, row.facts, data_dir, size, in_place, progress, part=part)


def store(
    splits, dataset, data_dir, size=None, in_place=False, progress=None, bands=RGB, *, part=None
):
    """Writes lists, files and info.json of `ImageList`s, of images of these `Bands`; see
    `prepare_dataset`."""
    if in_place:
        if part:
            raise TfsegError("files that stay in place are read in one go: leave out `part`")
        return _store_in_place(splits, dataset, data_dir, size, progress, bands)
    rows = [
        (split, files)
        for split, chosen in splits.items()
        for files in zip(
            chosen.names, chosen.images, chosen.labels or [None] * len(chosen), strict=True
        )
    ]
    # What is listed twice is stored once.
    found = dict.fromkeys(files for _, files in rows)
    found = dict(zip(found, stems([name for name, *_ in found]), strict=True))
    pairs = [Pair(split, found[files], ending(files[1]), *files[1:]) for split, files in rows]
    images = {split: [] for split in splits}
    for pair in pairs:
        images[pair.split].append(f"images/{pair.stem}.png")
    sources = {split: os.path.realpath(chosen.root) for split, chosen in splits.items()}
    folder = OutputFolder(data_dir, [path for chosen in splits.values() for path in chosen.files])
    return store_pairs(
        *(pairs, images, sources, dataset, folder, size, progress), bands=bands, part=part
    )


def store_pairs(
    pairs,
    listed,
    sources,
    dataset,
    folder,
    size=None,
    progress=None,
    skipped=None,
    *,
    bands=RGB,
    part=None,
):
    """Writes lists, files and info.json of `Pair`s, drawn one by one.

    Args:
        pairs: iterable of `Pair`; a list where there is a part.
        listed: {split: the images that they will become, below the folder, with any ending}.
        sources: {split: where they come from}: see `keep_sources`.
        dataset, size, progress, part, and what is returned: see `prepare_dataset`.
        folder: an `OutputFolder`.
        skipped: a list that gets (image, reason) of pairs that can't be read; None: they are an
            error.
        bands: `Bands` that the images have to have, as `survey_bands` gives it.

    Raises:
        TfsegError: as `prepare_dataset`, and where something of another call would be lost.
    """
    data_dir, total = folder.folder, sum(map(len, listed.values()))
    stale = stale_splits(data_dir, listed)
    require_same_source(data_dir, sources, listed)

    def convert(pair):
        try:
            return pair, convert_pair(pair, folder, dataset, size, bands)
        except TfsegError as error:
            if skipped is None:
                raise
            return pair, error

    if part:
        pairs = list(pairs)
        files = PartFiles(data_dir, part, functools.partial(_part_key, pairs, dataset, size, bands))
        pairs = [pairs[place] for place in part.of(len(pairs))]
        total = len(pairs)
    stored = map(_stored, in_parallel(convert, pairs, progress, total))
    if part:
        save_stored(files.path(), stored)
        files.tidy()
        paths, missing = files.paths()
        if missing:
            return Unfinished(part, total, missing, data_dir)
        stored = interleave([load_stored(path) for path in paths])
    lists, statistics, failed = {}, {}, None
    for one in stored:
        if one.error is not None:
            skipped.append((one.image, one.error))
            failed = failed or one.error
            continue
        lists.setdefault(one.split, []).append((one.image, one.label))
        statistics.setdefault(one.split, Statistics(bands)).add(one.values, one.counts)
    if failed and not lists:
        raise TfsegError(failed)
    for split, rows in lists.items():
        images, labels = zip(*rows, strict=True)
        write_split(data_dir, split, images, None if labels[0] is None else labels)
    info = with_training_statistics(_facts(dataset, statistics), data_dir, lists)
    info.save(data_dir)
    remove_lists(data_dir, stale)
    keep_sources(data_dir, sources)
    return {split: len(rows) for split, rows in lists.items()}, info


def _stored(done):
    """The `Stored` of a `Pair` and what `convert_pair` has of it, or its error."""
    pair, found = done
    if isinstance(found, TfsegError):
        return Stored(pair.split, str(pair.image), error=str(found))
    return Stored(pair.split, *found)


def _part_key(pairs, dataset, size, bands, part):
    """What the files of a part depend on, as text."""
    own = [pairs[place] for place in part.of(len(pairs))]
    named = [(pair.split, pair.stem, pair.extension) for pair in own]
    items = [pair.image.item if isinstance(pair.image, Piece) else pair for pair in own]
    sources = [source for item in items for source in (item.image, item.label)]
    sources = [source if isinstance(source, str) else None for source in sources]
    windows = [item.window for item in items if isinstance(item, Item)]
    return f"{named} {dataset} {size} {bands} {windows}\n{file_marks(sources)}"


def convert_pair(pair, folder, dataset, size, bands=RGB):
    """Writes the files of a `Pair`.

    Returns:
        The names of image and label map, or None, and what `summed` and `convert_label` count.

    Raises:
        TfsegError: one can't be read, and neither is written; or it can't be written.
    """
    label, counts, labels, source = None, np.zeros(256, np.int64), None, pair.image
    if isinstance(source, Piece):
        source, empty = source.image(bands)
        labels = pair.image.labels(empty)
    suffix = pair.extension if size is None else None
    if suffix is None:
        suffix = extension(source, bands, size)
    if callable(pair.label):
        labels = pair.label(upright_size(source))
    elif pair.label is not None:
        labels = read_label(pair.label, dataset)
    image = f"images/{pair.stem}{suffix}"
    values = summed(convert_image(source, folder.path(image), size, bands), bands)
    if labels is not None:
        label = f"labels/{pair.stem}.png"
        counts = write_label(labels, folder.path(label), size)
    return image, label, values, counts


def _store_in_place(splits, dataset, data_dir, size, progress, bands):
    if size is not None:
        raise TfsegError("files that stay in place can't be resized: leave out `size`")
    if dataset.color_map is not None:
        raise TfsegError(f"label maps with colours can't stay in place ({dataset.title})")

    def measure(job):
        split, image, label = job
        if label and not label.endswith(".png"):
            raise TfsegError(f"{label} is no PNG, so it can't stay in place")
        counts = convert_label(label, None, dataset, None) if label else np.zeros(256, np.int64)
        if not is_graph_format(image, bands):
            raise TfsegError(
                f"{image} is of a kind that can't stay in place: it has to be converted"
            )
        return split, summed(convert_image(image, None, None, bands), bands), counts

    jobs = [
        (split, image, label)
        for split, chosen in splits.items()
        for image, label in zip(chosen.images, chosen.labels or [None] * len(chosen), strict=True)
    ]
    statistics = {}
    for split, values, counts in in_parallel(measure, jobs, progress, len(jobs)):
        statistics.setdefault(split, Statistics(bands)).add(values, counts)
    stale = stale_splits(data_dir, {split: chosen.images for split, chosen in splits.items()})
    for split, chosen in splits.items():
        write_split(data_dir, split, chosen.images, chosen.labels)
    remove_lists(data_dir, stale)
    info = dataclasses.replace(_facts(dataset, statistics), label_map=dataset.label_map)
    info = with_training_statistics(info, data_dir, splits)
    info.save(data_dir)
    return {split: len(chosen) for split, chosen in splits.items()}, info


def measure_folder(data_dir, progress=None):
    """Computes mean, std and class weights of a folder's training images into its info.json.

    The other entries of an info.json that is there already are kept. Class weights need class
    names.

    Returns:
        {"train": number of images} and the `DataInfo` that was written.

    Raises:
        TfsegError: no training list, or an image or label map that can't be decoded.
    """
    # Shards are made from the files again, should any have changed.
    remove(shard_index(data_dir, "train"))
    images = read_split(data_dir, "train", labels=False)
    if not os.path.exists(os.path.join(data_dir, FILE_NAME)):
        bands = survey_bands(images.images)
        statistics = _statistics(images.images, bands, progress)
        info = DataInfo(*statistics.mean_and_std(), **statistics.bands.to_dict())
        info.save(data_dir)
        return {"train": len(images)}, info
    info = DataInfo.load(data_dir)
    dataset = Dataset(str(data_dir), info.classes, info.palette, info.label_map)
    dataset = dataclasses.replace(dataset, ignore_label=info.ignore_label)
    labels = read_split(data_dir, "train").labels if info.classes else [None] * len(images)

    def measure(job):
        image, label = job
        counts = convert_label(label, None, dataset, None) if label else np.zeros(256, np.int64)
        return summed(convert_image(image, None, None, info.bands), info.bands), counts

    statistics = Statistics(info.bands, measured=True)
    jobs = zip(images.images, labels, strict=True)
    for values, counts in in_parallel(measure, jobs, progress, len(images)):
        statistics.add(values, counts)
    mean, std = statistics.mean_and_std()
    info = dataclasses.replace(
        info, mean=mean, std=std, class_weights=statistics.class_weights(len(info.classes or []))
    )
    info.save(data_dir)
    return {"train": len(images)}, info


def image_statistics(paths, progress=None):
    """Mean and standard deviation over all pixels of 8-bit RGB images; see
    `Statistics.mean_and_std`.

    Args:
        paths: image files.
        progress: called as progress(done, total) after each image.

    Raises:
        TfsegError: an image can't be decoded.
    """

    return _statistics(paths, RGB, progress).mean_and_std()


def _statistics(paths, bands, progress):
    def count(path):
        return summed(convert_image(path, None, None, bands), bands)

    statistics = Statistics(bands)
    for values in in_parallel(count, paths, progress, len(paths)):
        statistics.add(values)
    return statistics


def summed(image, bands):
    """What `Statistics` adds up of an image: int64 [3, 256], the pixels of each value in red, green
    and blue, of a photograph; else the array of its `Moments`."""
    if bands.is_photograph:
        return np.reshape(Image.fromarray(image).histogram(), [3, 256])
    return Moments.of(image).array


class Statistics:
    """Sums over the images of a split.

    Args:
        bands: `Bands` of the images.
        measured: whether its `value_range` holds for floats too.
    """

    def __init__(self, bands=RGB, measured=False):
        self._bands, self._measured = bands, measured
        self.values = None
        self.labels = []

    @property
    def bands(self):
        """`Bands` of the images that were added; of floats with the measured `value_range`."""
        if self._bands.is_photograph or self._measured:
            return self._bands
        return self.values.bands(self._bands)

    def add(self, values, labels=None):
        """Adds an image: what `summed` gives, and of its label map the pixels by class [256]."""
        values = values if self._bands.is_photograph else Moments(values)
        self.values = values if self.values is None else self.values + values
        if labels is not None:
            self.labels.append(labels)

    def mean_and_std(self):
        """Two tuples of a number for each channel, as fractions of one.

        Pixels of photographs were counted by value, so the result is exact to the rounding of
        float64 and does not depend on the order of the files.
        """
        if not self._bands.is_photograph:
            return self.values.mean_and_std(self.bands)
        values = np.arange(256) / 255
        total = self.values.sum(axis=1)
        mean = self.values @ values / total
        variance = (self.values * (values - mean[:, None]) ** 2).sum(axis=1) / total
        return tuple(map(float, mean)), tuple(map(float, np.sqrt(variance)))

    def class_weights(self, num_classes):
        """What `data.prepare.class_weights` says; None without labels or classes."""
        counts = np.array(self.labels)[:, :num_classes] if self.labels and num_classes else None
        return class_weights(counts) if counts is not None and counts.any() else None


def _facts(dataset, statistics):
    """The `DataInfo` of a folder: measured on its training images, or else its first split's."""
    chosen = statistics.get("train") or next(iter(statistics.values()))
    mean, std = chosen.mean_and_std()
    return DataInfo(
        mean,
        std,
        classes=dataset.classes,
        palette=dataset.palette,
        ignore_label=dataset.ignore_label,
        class_weights=chosen.class_weights(len(dataset.classes or [])),
        **chosen.bands.to_dict(),
    )


def _check_source(sources, data_dir):
    for source in sources or [None]:
        if not source or not os.path.isdir(source):
            raise TfsegError(f"there is no source folder {source}")
        if os.path.realpath(source) == os.path.realpath(data_dir):
            raise TfsegError(
                f"the source and `data_dir` are both {source}; the source must stay as it is"
            )
