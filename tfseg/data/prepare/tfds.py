"""Segmentation data sets of tensorflow-datasets, as data folders."""

import numpy as np

from tfseg.data.catalog import Dataset
from tfseg.data.prepare.folders import Pair, store_pairs
from tfseg.errors import TfsegError

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
        raise TfsegError(f"can't prepare --tfds_name={name}: {reason}") from error
    return builder


def prepare_tfds(
    builder, data_dir, splits=None, dataset=None, features=FEATURES, size=None, progress=None
):
    """Writes a data set of tensorflow-datasets below `data_dir`.

    Images keep their encoded bytes unless they are resized.

    Args:
        builder: a prepared `tfds.core.DatasetBuilder`.
        data_dir: folder to write.
        splits: {split to write: split of the builder, such as "train[:90%]"}; None: the builder's
            own, with "validation" as "val".
        dataset: a `Dataset` that says what the masks' values are. None: they are class indices,
            named as the mask's feature names them.
        features: names of the image and of the mask, uint8 [H, W, 1] or [H, W].
        size: (width, height), or None to keep the images' own.
        progress: called as progress(done, total) after each image.

    Returns:
        {split: number of images} and the `DataInfo` that was written.

    Raises:
        TfsegError: no such split or feature, or a value in a mask that `dataset` does not list.
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
        total = sum(builder.info.splits[name].num_examples for name in splits.values())
    except (KeyError, ValueError) as error:
        raise TfsegError(
            f"{builder.name} has no such split: {error}; it has {', '.join(builder.info.splits)}"
        ) from error
    if dataset is None:
        names = getattr(builder.info.features[features[1]], "names", None)
        dataset = Dataset(builder.name, tuple(names) if names else None)
    decoders = {features[0]: tfds.decode.SkipDecoding()}

    def pairs():
        for split, name in splits.items():
            examples = builder.as_dataset(name, decoders=decoders, shuffle_files=False)
            for number, example in enumerate(tfds.as_numpy(examples)):
                image, mask = (example[feature] for feature in features)
                extension = ".png" if image.startswith(b"\x89PNG") else ".jpg"
                if mask.ndim == 3:
                    mask = mask[..., 0]
                yield Pair(split, f"{split}/{number:06d}{extension}", image, np.asarray(mask))

    return store_pairs(pairs(), total, dataset, data_dir, size, progress)
