"""Image lists: which files make up a split."""

import dataclasses
import os
import pathlib

from tfseg.errors import TfsegError
from tfseg.files import atomic_write


@dataclasses.dataclass(frozen=True)
class ImageList:
    """The files of one split, in the order of its list.

    Attributes:
        root: the folder that relative names start from.
        images: absolute paths of the images.
        labels: absolute paths of their label maps, or None for images alone.
        names: the images' names as in the list, always relative and without "..", so that
            outputs can be laid out by them below any folder.
    """

    root: str
    images: list
    labels: list | None
    names: list

    def __len__(self):
        return len(self.images)


def read_split(data_dir, split, labels=True, prefix=""):
    """The files of a split.

    Reads ``{split}_images.txt`` and ``{split}_labels.txt``, one path a line, or a list of pairs
    ``{split}.txt`` or ``{split}_pairs.txt`` with ``image label`` a line (a tab parts paths that
    hold spaces). Paths are relative to `data_dir` or absolute. Empty lines are skipped.

    Args:
        data_dir: the data folder.
        split: "train", "val", "test" or any other name.
        labels: whether label maps are wanted; False reads lists that have none as well.
        prefix: a leading folder of the listed paths that stands for `data_dir`.

    Returns:
        `ImageList`.

    Raises:
        TfsegError: no such folder or list, an empty list, lists of unequal lengths, a line that
            is not a pair. Whether the files exist is `check_dataset`'s business.
    """
    root = os.path.abspath(data_dir)
    if not os.path.isdir(root):
        raise TfsegError(f"there is no data folder {data_dir}")
    image_path = os.path.join(root, f"{split}_images.txt")
    pair_paths = [os.path.join(root, name) for name in (f"{split}.txt", f"{split}_pairs.txt")]
    found = [path for path in [image_path, *pair_paths] if os.path.isfile(path)]
    if not found:
        raise TfsegError(
            f"{data_dir} has no list of the split '{split}': "
            f"{split}_images.txt or a list of pairs {split}.txt is needed"
        )
    path = found[0]
    if path == image_path:
        images = [line for _, line in _read_lines(path)]
        label_maps = _read_labels(root, split, path, len(images)) if labels else None
    else:
        images, label_maps = _read_pairs(path, labels)
    images = [name.removeprefix(prefix) for name in images]
    label_maps = label_maps and [name.removeprefix(prefix) for name in label_maps]
    return ImageList(
        root=root,
        images=[_absolute(root, name) for name in images],
        labels=None if label_maps is None else [_absolute(root, name) for name in label_maps],
        names=[_output_name(root, name) for name in images],
    )


def write_list(path, names):
    """Writes one name a line, atomically."""
    with atomic_write(path, "w") as file:
        file.writelines(f"{name}\n" for name in names)


def _read_lines(path):
    """[(line number, text)] of the lines that are not empty."""
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


def _read_labels(root, split, image_path, count):
    path = os.path.join(root, f"{split}_labels.txt")
    if not os.path.isfile(path):
        raise TfsegError(f"{path} is missing: it lists the label maps of {image_path}")
    labels = [line for _, line in _read_lines(path)]
    if len(labels) != count:
        raise TfsegError(
            f"{image_path} lists {count} images, but {path} lists {len(labels)} label maps"
        )
    return labels


def _read_pairs(path, labels):
    rows = []
    for number, line in _read_lines(path):
        row = [name.strip() for name in line.split("\t")] if "\t" in line else line.split()
        if len(row) != 2 and (labels or len(row) != 1):
            raise TfsegError(
                f"{path}, line {number}: expected `image label`, found {len(row)} "
                f"part{'s' if len(row) != 1 else ''}: {line[:80]}"
            )
        rows.append(row)
    return [row[0] for row in rows], [row[1] for row in rows] if labels else None


def _absolute(root, name):
    return os.path.normpath(os.path.join(root, name))


def _output_name(root, name):
    path = pathlib.Path(_absolute(root, name))
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    # Outside of the data folder: keep what the list shows of the folders, less the way up.
    parts = [part for part in pathlib.PurePath(name).parts if part not in ("..", "/")]
    return pathlib.PurePath(*parts).as_posix()
