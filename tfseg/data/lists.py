"""Image lists: which files make up a split."""

import dataclasses
import json
import os
import pathlib

from tfseg.errors import TfsegError
from tfseg.files import atomic_write

# What the ADE20K code calls its lists.
_ODGT_NAMES = {"train": "training", "val": "validation"}


@dataclasses.dataclass(frozen=True)
class ImageList:
    """The files of one split, in the order of its list.

    Attributes:
        root: the folder that relative names start from.
        images: absolute paths of the images.
        labels: absolute paths of their label maps, or None for images alone.
        names: the images' names as in the list, always relative and without "..", so that
            outputs can be laid out by them below any folder.
        sizes: (height, width) of each image, or None where the list doesn't state them.
    """

    root: str
    images: list
    labels: list | None
    names: list
    sizes: list | None = None

    def __len__(self):
        return len(self.images)

    def first(self, count):
        """The list of the first `count` files."""
        return dataclasses.replace(
            self,
            images=self.images[:count],
            labels=self.labels and self.labels[:count],
            names=self.names[:count],
            sizes=self.sizes and self.sizes[:count],
        )


def read_split(data_dir, split, labels=True, prefix=""):
    """The files of a split.

    Reads ``{split}_images.txt`` and ``{split}_labels.txt``, one path a line; or a list of pairs
    ``{split}.txt`` or ``{split}_pairs.txt`` with ``image label`` a line (a tab parts paths that
    hold spaces); or ``{split}.odgt`` (for train and val also training.odgt and validation.odgt),
    where each line is a JSON object with fpath_img, fpath_segm, width and height. The first of
    these that is there counts. Paths are relative to `data_dir` or absolute. Empty lines are
    skipped.

    Args:
        data_dir: the data folder.
        split: "train", "val", "test" or any other name.
        labels: whether label maps are wanted; False reads lists that have none as well.
        prefix: a leading folder of the listed paths that stands for `data_dir`.

    Returns:
        `ImageList`.

    Raises:
        TfsegError: no such folder or list, an empty list, lists of unequal lengths, a line that
            is not what it should be. Whether the files exist is `check_dataset`'s business.
    """
    root = os.path.abspath(data_dir)
    if not os.path.isdir(root):
        raise TfsegError(f"there is no data folder {data_dir}")
    odgt_names = [split] + ([_ODGT_NAMES[split]] if split in _ODGT_NAMES else [])
    readers = {
        f"{split}_images.txt": _read_two_lists,
        f"{split}.txt": _read_pairs,
        f"{split}_pairs.txt": _read_pairs,
        **{f"{name}.odgt": _read_odgt for name in odgt_names},
    }
    found = [name for name in readers if os.path.isfile(os.path.join(root, name))]
    if not found:
        raise TfsegError(
            f"{data_dir} has no list of the split '{split}': "
            f"{split}_images.txt, a list of pairs {split}.txt or {split}.odgt is needed"
        )
    rows = readers[found[0]](os.path.join(root, found[0]), labels)
    images = [row[0].removeprefix(prefix) for row in rows]
    return ImageList(
        root=root,
        images=[_absolute(root, name) for name in images],
        labels=[_absolute(root, row[1].removeprefix(prefix)) for row in rows] if labels else None,
        names=[_output_name(root, name) for name in images],
        sizes=[row[2] for row in rows] if len(rows[0]) > 2 else None,
    )


def write_list(path, names):
    """Writes one name a line, atomically."""
    with atomic_write(path, "w") as file:
        file.writelines(f"{name}\n" for name in names)


def read_lines(path):
    """[(line number, text)] of the lines of a list that are not empty.

    Raises:
        TfsegError: the list can't be read or has no such line.
    """
    try:
        # Editors on Windows start UTF-8 files with a byte-order mark.
        with open(path, encoding="utf-8-sig") as file:
            lines = [(number, line.strip()) for number, line in enumerate(file, 1)]
    except OSError as error:
        raise TfsegError(f"can't read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TfsegError(f"{path} is not UTF-8 text") from error
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise TfsegError(f"{path} is empty: it lists no image")
    return lines


def _read_two_lists(path, labels):
    """[(image,)] or [(image, label)]."""
    images = [line for _, line in read_lines(path)]
    if not labels:
        return [(image,) for image in images]
    label_path = f"{path.removesuffix('_images.txt')}_labels.txt"
    if not os.path.isfile(label_path):
        raise TfsegError(f"{label_path} is missing: it lists the label maps of {path}")
    maps = [line for _, line in read_lines(label_path)]
    if len(maps) != len(images):
        raise TfsegError(
            f"{path} lists {len(images)} images, but {label_path} lists {len(maps)} label maps"
        )
    return list(zip(images, maps, strict=True))


def _read_pairs(path, labels):
    """[(image, label)], or without `labels` perhaps [(image,)]."""
    rows = []
    for number, line in read_lines(path):
        row = [name.strip() for name in line.split("\t")] if "\t" in line else line.split()
        if len(row) != 2 and (labels or len(row) != 1):
            raise TfsegError(
                f"{path}, line {number}: expected `image label`, found {len(row)} "
                f"part{'s' if len(row) != 1 else ''}: {line[:80]}"
            )
        rows.append(row)
    return rows


def _read_odgt(path, labels):
    """[(image, label, (height, width))]; without `labels` the label may be None."""
    rows = []
    for number, line in read_lines(path):
        try:
            entry = json.loads(line)
            image, size = entry["fpath_img"], (entry["height"], entry["width"])
            label = entry["fpath_segm"] if labels else entry.get("fpath_segm")
            if not isinstance(image, str) or (labels and not isinstance(label, str)):
                raise TypeError("paths must be text")
            if not all(type(x) is int and x > 0 for x in size):
                raise TypeError("width and height must be positive whole numbers")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise TfsegError(
                f"{path}, line {number}: expected a JSON object with fpath_img, fpath_segm, width "
                f"and height: {reason}"
            ) from error
        rows.append((image, label, size))
    return rows


def _absolute(root, name):
    return os.path.normpath(os.path.join(root, name))


def _output_name(root, name):
    path = pathlib.Path(_absolute(root, name))
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    # Outside of the data folder: keep what the list shows of the folders, less the way up.
    parts = [part for part in pathlib.PurePath(name).parts if part not in ("..", "/")]
    return pathlib.PurePath(*parts).as_posix()
