"""Data sets of tensorflow-datasets, as data folders."""

import os

import numpy as np

from tfseg.bands import RGB
from tfseg.data import png
from tfseg.data.catalog import Dataset
from tfseg.data.info import DataInfo
from tfseg.data.prepare.convert import convert_image, in_parallel
from tfseg.data.prepare.earlier import earlier_sources, keep_sources
from tfseg.data.prepare.folders import Pair, Statistics, store_pairs, summed
from tfseg.errors import TfsegError
from tfseg.outputs import OutputFolder, folder_names

FEATURES = ("image", "segmentation_mask")


def tfds_builder(name, data_dir=None):
    """The builder of a data set of tensorflow-datasets, downloaded if it is not there.

    Args:
        name: its name, with a configuration or version if wanted.
        data_dir: folder of prepared data sets; None for the library's own.

    Raises:
        TfsegError: no such data set, or it can't be downloaded.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except (
        tfds.core.DatasetNotFoundError,
        tfds.download.DownloadError,
        AssertionError,  # files that have to be downloaded by hand
        OSError,
        ValueError,
    ) as error:
        reason = str(error).strip().splitlines()[0]
        raise TfsegError(f"can't prepare `tfds_name={name}`: {reason}") from error
    return builder


def prepare_tfds(
    builder, data_dir, splits=None, dataset=None, features=FEATURES, size=None, progress=None
):
    """Writes a data set of tensorflow-datasets below `data_dir`.

    Images keep their encoded bytes unless they are resized. With masks they become lists, images
    and label maps; with a class label for each, the folders SPLIT/CLASS of image classification.

    Args:
        builder: a prepared `tfds.core.DatasetBuilder`.
        data_dir: folder to write.
        splits: {split to write: split of the builder, such as "train[:90%]"}; None: the builder's
            own, with "validation" as "val".
        dataset: a `Dataset` that says what the masks' values are. None: they are class indices,
            named as the mask's feature names them.
        features: names of the image, and of the mask, uint8 [H, W, 1] or [H, W], or class.
        size: (width, height), or None to keep the images' own.
        progress: called as progress(done, total) after each image.

    Returns:
        {split: number of images} and the `DataInfo` that was written.

    Raises:
        TfsegError: no such split or feature, a value in a mask that `dataset` does not list, or
            a `dataset` or `size` for classes, or copies of another source that would be replaced.
    """
    import tensorflow_datasets as tfds

    for name in features:
        if name not in builder.info.features:
            raise TfsegError(
                f"{builder.name} has no feature {name}: it has {', '.join(builder.info.features)}"
            )
    if not builder.info.splits:
        raise TfsegError(f"{builder.name} is not prepared in {builder.data_dir}")
    splits = splits or {name.replace("validation", "val"): name for name in builder.info.splits}
    try:
        counts = {split: builder.info.splits[name].num_examples for split, name in splits.items()}
    except (KeyError, ValueError) as error:
        raise TfsegError(
            f"{builder.name} has no such split: {error}; it has {', '.join(builder.info.splits)}"
        ) from error
    folder = OutputFolder(data_dir)
    kind = builder.info.features[features[1]]
    names = getattr(kind, "names", None)
    decoders = {features[0]: tfds.decode.SkipDecoding()}

    folders = dict(zip(splits, folder_names(splits), strict=True))
    sources = {split: f"{builder.info.full_name} {name}" for split, name in splits.items()}

    def pairs():
        for split, name in splits.items():
            examples = builder.as_dataset(name, decoders=decoders, shuffle_files=False)
            for number, example in enumerate(tfds.as_numpy(examples)):
                image, label = (example[feature] for feature in features)
                extension = ".png" if image.startswith(png.SIGNATURE) else ".jpg"
                if label.ndim == 3:
                    label = label[..., 0]
                stem = _stem(folders[split], number)
                yield Pair(split, stem, extension, image, np.asarray(label))

    if isinstance(kind, tfds.features.ClassLabel):
        if dataset or size:
            raise TfsegError(f"{features[1]} of {builder.name} is a class: it keeps name and size")
        _note_classes(data_dir, sources, folders)
        return _store_classes(pairs(), sum(counts.values()), names, folder, progress)
    dataset = dataset or Dataset(builder.name, tuple(names) if names else None)
    listed = {
        split: [f"images/{_stem(folders[split], number)}.png" for number in range(count)]
        for split, count in counts.items()
    }
    return store_pairs(pairs(), listed, sources, dataset, folder, size, progress)


def _stem(folder, number):
    return f"{folder}/{number:06d}"


def _note_classes(data_dir, sources, folders):
    """Notes the sources before splits' folders of classes are written, not among another's.

    There are no lists that are written last: noted first, a call that was killed can be repeated.
    """
    earlier = earlier_sources(data_dir)

    def has_files(split):
        walk = os.walk(os.path.join(data_dir, folders.get(split, split)))
        return any(files for _, _, files in walk)

    for split, source in sources.items():
        if earlier.get(split) != source and has_files(split):
            raise TfsegError(
                f"{os.path.join(data_dir, folders[split])} has images already that are not from "
                f"{source}: name another `data_dir`, or remove that folder first"
            )
    keep_sources(data_dir, sources, lambda _, split: split in sources or has_files(split))


def _store_classes(pairs, total, names, folder, progress):
    """Writes `Pair`s whose labels are class indices as SPLIT/CLASS/NUMBER, and info.json."""
    data_dir, names = folder.folder, folder_names(names)
    for name in names:
        os.makedirs(os.path.dirname(folder.path(f"train/{name}/x")), exist_ok=True)

    def convert(pair):
        split, number = pair.stem.split("/")
        name = f"{split}/{names[int(pair.label)]}/{number}{pair.extension}"
        return pair.split, summed(convert_image(pair.image, folder.path(name), None), RGB)

    counts, statistics = {}, {}
    for split, values in in_parallel(convert, pairs, progress, total):
        counts[split] = counts.get(split, 0) + 1
        statistics.setdefault(split, Statistics()).add(values)
    mean, std = statistics.get("train", next(iter(statistics.values()))).mean_and_std()
    info = DataInfo(mean, std, classes=sorted(names))
    info.save(data_dir)
    return counts, info
