"""What earlier calls left in a data folder, so that a further one loses none of it."""

import dataclasses
import os

from tfseg.data.info import FILE_NAME, DataInfo
from tfseg.data.lists import is_list, read_split, remove
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.words import counted

# {split: the folder, or data set, that its copies were made from}.
SOURCES = "sources.json"
_SPLITS = ("train", "val", "test", "coarse")


def stale_splits(data_dir, images):
    """The splits of a data folder whose images all move to those that are about to be written.

    Args:
        data_dir: the data folder, which need not be there.
        images: {split: paths, absolute or relative to `data_dir`, of the images that it will list}.

    Raises:
        TfsegError: a list that would be replaced has images that no new one has.
    """
    new = {split: {_stem(data_dir, path) for path in paths} for split, paths in images.items()}
    everything, stale = set().union(*new.values()), []
    for split in dict.fromkeys((*_SPLITS, *images)):
        if not is_list(data_dir, split):
            continue
        listed = read_split(data_dir, split, labels=False).images
        lost = sorted({_stem(data_dir, path) for path in listed} - everything)
        if lost and split in new:
            raise TfsegError(
                f"{data_dir} lists {counted(len(listed), 'image')} of the split {split} already, "
                f"of which {len(lost)} would be lost, such as {lost[0]}: name another `data_dir`, "
                f"or remove {split}_images.txt first"
            )
        if split not in new and not lost:
            stale.append(split)
    return stale


def require_same_source(data_dir, sources, images):
    """Checks that no copy of one source would take the place of another's.

    Args:
        data_dir: the data folder, which need not be there.
        sources: {split: what will be written}, as for `keep_sources`.
        images: as for `stale_splits`.

    Raises:
        TfsegError: a list has an image of another source under a name that is to be written.
    """
    for split, source in earlier_sources(data_dir).items():
        if not is_list(data_dir, split):
            continue
        listed = {
            _stem(data_dir, path) for path in read_split(data_dir, split, labels=False).images
        }
        for new, other in sources.items():
            met = sorted(listed & {_stem(data_dir, path) for path in images[new]})
            if met and other != source:
                raise TfsegError(
                    f"{data_dir} has copies from {source} of the same names, {len(met)} such as "
                    f"{met[0]}, which those from {other} would replace: name another "
                    f"`data_dir`, or remove {split}_images.txt first"
                )


def keep_sources(data_dir, sources, there=is_list):
    """Notes from where splits were copied.

    Args:
        data_dir: the data folder.
        sources: {split: absolute path without links of a folder, or the name of a data set}.
        there: function (data_dir, split) that tells whether a split is still there.
    """
    sources = {**earlier_sources(data_dir), **sources}
    sources = {split: sources[split] for split in sorted(sources) if there(data_dir, split)}
    write_json(os.path.join(data_dir, SOURCES), sources)


def earlier_sources(data_dir):
    """{split: source} that `keep_sources` has noted.

    Raises:
        TfsegError: the file isn't as it writes it.
    """
    path = os.path.join(data_dir, SOURCES)
    found = read_json(path) if os.path.exists(path) else {}
    if not isinstance(found, dict) or not all(isinstance(x, str) for x in found.values()):
        raise TfsegError(f"{path} doesn't hold {{split: folder}}: remove it")
    return found


def remove_lists(data_dir, splits):
    """Removes the lists of splits.

    Raises:
        TfsegError: one can't be removed.
    """
    for split in splits:
        for kind in ("images", "labels", "shards"):
            remove(os.path.join(data_dir, f"{split}_{kind}.txt"))


def with_training_statistics(info, data_dir, splits):
    """`info` with the numbers of the training images where those were measured earlier."""
    known = os.path.exists(os.path.join(data_dir, FILE_NAME)) and is_list(data_dir, "train")
    if "train" in splits or not known:
        return info
    earlier = DataInfo.load(data_dir)
    names = ("mean", "std", "class_weights", "channels", "value_range", "rgb_bands")
    kept = {name: getattr(earlier, name) for name in names}
    return dataclasses.replace(info, **kept)


def _stem(data_dir, path):
    return os.path.splitext(os.path.join(os.path.abspath(data_dir), path))[0]
