"""Image lists: which files make up a split."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import re

from tfseg import outputs
from tfseg.bands import RGB, Bands
from tfseg.data import entries
from tfseg.data.entries import Names, read_lines
from tfseg.data.info import read_bands
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, require_file
from tfseg.lazy import LazyModule
from tfseg.words import counted

tf = LazyModule("tensorflow")

# What the ADE20K code calls its lists.
_ODGT_NAMES = {"train": "training", "val": "validation"}

# Of the names that lists have, those that nothing else in a folder is likely to have.
_SPLIT = re.compile(r"(.+)_images\.txt|(train|val|test)\.txt")


@dataclasses.dataclass(frozen=True)
class ImageList:
    """The files of one split, in the order of its list.

    Attributes:
        root: the folder that relative names start from.
        images: absolute paths of the images.
        labels: absolute paths of their label maps, or None for images alone.
        names: the images' names as in the list, relative to `root` where they lie below it. They
            are for people; files are called after `stems`.
        sizes: (height, width) of each image, or None where the list doesn't state them.
        offsets: None for files. For TFRecord shards, `images` and `labels` are the shards, and
            these the bytes where each pair's record starts.
        bands: `Bands` of the images, as info.json beside the lists says.
    """

    root: str
    images: list
    labels: list | None
    names: list
    sizes: list | None = None
    offsets: list | None = None
    bands: Bands = RGB

    def __len__(self):
        return len(self.images)

    @functools.cached_property
    def stems(self):
        """What an image's results are called, without an ending; see `tfseg.outputs.stems`."""
        return outputs.stems(self.names)

    @property
    def files(self):
        """The paths of all that is read."""
        return [*self.images, *(self.labels or ())]

    @functools.cached_property
    def image_titles(self):
        """What messages call the images: their paths, or their names within a shard."""
        return self.images if self.offsets is None else self._titles("image")

    @functools.cached_property
    def label_titles(self):
        """What messages call the label maps."""
        return self.labels if self.offsets is None else self._titles("label map")

    def _titles(self, kind):
        return [
            f"{path} ({kind} of {name})" for path, name in zip(self.images, self.names, strict=True)
        ]

    def require_bands(self, bands):
        """Refuses images that are not those that a model takes.

        Raises:
            TfsegError: other channels, or values that mean something else.
        """
        found = self.bands
        if (found.channels, found.value_range) != (bands.channels, bands.value_range):
            raise TfsegError(
                f"the images of {self.root} have {found.describe()}, but the model takes "
                f"{bands.describe()}"
            )

    def first(self, count):
        """The list of the first `count` files."""
        return self.pick(range(min(count, len(self))))

    def spread(self, count):
        """The list of `count` files that lie evenly over it, or of all where there are fewer."""
        return self.pick(self.places(count))

    def places(self, count):
        """The positions of `count` files that lie evenly over it, or of all of fewer."""
        count = min(count, len(self))
        return [(2 * part + 1) * len(self) // (2 * count) for part in range(count)]

    def pick(self, indices):
        """The list of the files at some places, in their order."""
        columns = ("images", "labels", "names", "sizes", "offsets")
        values = {name: getattr(self, name) for name in columns}
        part = dataclasses.replace(
            self, **{name: row and [row[i] for i in indices] for name, row in values.items()}
        )
        # Results are called the same as those of the whole list.
        vars(part)["stems"] = [self.stems[i] for i in indices]
        return part


def read_split(data_dir, split, labels=True, prefix=""):
    """The files of a split.

    Reads ``{split}_images.txt`` and ``{split}_labels.txt``, one path a line; or a list of pairs
    ``{split}.txt`` or ``{split}_pairs.txt`` with ``image label`` a line (a tab parts paths that
    hold spaces); or ``{split}.odgt`` (for train and val also training.odgt and validation.odgt),
    where each line is a JSON object with fpath_img, fpath_segm, width and height; or the index of
    TFRecord shards, ``{split}_shards.txt``, which counts before all others (see
    `tfseg.data.shards`). The first of these that is there counts. Paths are relative to `data_dir`,
    absolute, or whatever else `tf.io.gfile` opens, such as gs://bucket/image.png. Empty lines are
    skipped; what else of people's and programs' habits is understood, `tfseg.data.entries` says.

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
    if os.path.isfile(shard_index(root, split)):
        return _read_shards(root, split, labels)
    readers = _readers(split)
    found = [name for name in readers if os.path.isfile(os.path.join(root, name))]
    if not found:
        raise TfsegError(
            f"{data_dir} has no list of the split '{split}': "
            f"{split}_images.txt, a list of pairs {split}.txt or {split}.odgt is needed"
            f"{_others(root)}"
        )
    names = Names(root, prefix)
    rows = readers[found[0]](os.path.join(root, found[0]), names, labels)
    images = [names.path(row[0]) for row in rows]
    listed = [row[0].removeprefix(prefix) for row in rows]
    return ImageList(
        root=root,
        images=images,
        labels=[names.path(row[1]) for row in rows] if labels else None,
        names=[relative_name(root, *pair) for pair in zip(listed, images, strict=True)],
        sizes=[row[2] for row in rows] if len(rows[0]) > 2 else None,
        bands=read_bands(root),
    )


def is_list(data_dir, split, ending=""):
    """Whether `read_split` would find a list (whose name ends in `ending`)."""
    names = [name for name in _readers(split) if name.endswith(ending)]
    return any(os.path.isfile(os.path.join(data_dir, name)) for name in names)


def is_labelled(data_dir, split):
    """Whether the lists of a split that is there name label maps."""
    images, labels = (
        os.path.join(data_dir, f"{split}_{kind}.txt") for kind in ("images", "labels")
    )
    return os.path.isfile(labels) or not os.path.isfile(images)


def write_split(data_dir, split, images, labels=None):
    """Writes {split}_images.txt and {split}_labels.txt, atomically.

    Lists of the split that are there already, also of label maps or shards that it no longer has,
    are replaced.

    Args:
        images, labels: names relative to `data_dir`, or absolute paths; labels may be None.

    Raises:
        TfsegError: they can't be written, or the split's name can't be part of a file's.
    """
    outputs.require_plain(split, "split")
    for kind, names in (("images", images), ("labels", labels)):
        path = os.path.join(data_dir, f"{split}_{kind}.txt")
        if names is None:
            remove(path)
            continue
        with atomic_write(path, "w") as file:
            file.writelines(f"{name}\n" for name in names)
    remove(shard_index(data_dir, split))


def shard_index(data_dir, split):
    """The path of the list of a split's TFRecord shards."""
    return os.path.join(data_dir, f"{split}_shards.txt")


def remove(path):
    """Removes a file if it is there.

    Raises:
        TfsegError: it can't be removed, as in a read-only folder.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as error:
        raise TfsegError(f"can't remove {path}: {error.strerror}") from error


def read_file(path, kind="image"):
    """The bytes of a file that may be anywhere `tf.io.gfile` reads.

    Raises:
        TfsegError: there is no such file, or it can't be read.
    """
    require_file(path)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.NotFoundError as error:
        raise TfsegError(f"{kind} {path} does not exist") from error
    except (tf.errors.OpError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TfsegError(f"{kind} {path} can't be read: {reason}") from error


def _others(root):
    """What splits a data folder has, in words."""
    names = sorted(os.listdir(root))
    there = [name for name in map(_SPLIT.fullmatch, names) if name]
    splits = dict.fromkeys(match[1] or match[2] for match in there)
    return f"; it has {', '.join(splits)}" if splits else ""


def _readers(split):
    """{name of a list: function that reads it}, in the order in which they count."""
    odgt_names = [split] + ([_ODGT_NAMES[split]] if split in _ODGT_NAMES else [])
    return {
        f"{split}_images.txt": _read_two_lists,
        f"{split}.txt": entries.pairs,
        f"{split}_pairs.txt": entries.pairs,
        **{f"{name}.odgt": _read_odgt for name in odgt_names},
    }


def _read_two_lists(path, names, labels):
    """[(image,)] or [(image, label)]."""
    images = entries.single_names(path, names)
    if not labels:
        return [(image,) for image in images]
    label_path = f"{path.removesuffix('_images.txt')}_labels.txt"
    if not os.path.isfile(label_path):
        raise TfsegError(f"{label_path} is missing: it lists the label maps of {path}")
    maps = entries.single_names(label_path, names)
    if len(maps) != len(images):
        raise TfsegError(
            f"{path} lists {counted(len(images), 'image')}, but {label_path} lists "
            f"{counted(len(maps), 'label map')}"
        )
    return list(zip(images, maps, strict=True))


def _read_odgt(path, names, labels):
    return entries.odgt(path, labels)


def _read_shards(root, split, labels):
    """`ImageList` of the records that the index of a split's shards names."""
    path, names, rows = shard_index(root, split), Names(root), []
    for number, line in read_lines(path):
        try:
            shard, offset, height, width, name = line.split("\t", 4)
            offset, *size = map(int, (offset, height, width))
            if not (0 <= offset < 2**63 and all(0 < side < 2**31 for side in size) and name):
                raise ValueError("a number is out of range")
            rows.append((names.path(shard), offset, tuple(size), name))
        except ValueError as error:
            raise TfsegError(
                f"{path}, line {number}: expected shard, offset, height, width, name: {line[:80]}"
            ) from error
    shards, offsets, sizes, titles = map(list, zip(*rows, strict=True))
    labelled = shards if labels else None
    return ImageList(root, shards, labelled, titles, sizes, offsets, read_bands(root))


def relative_name(root, name, path):
    """A listed name, relative to the folder `root` where the file, at `path`, lies below it."""
    path = pathlib.Path(path)
    below = "://" not in name and path.is_relative_to(root)
    return path.relative_to(root).as_posix() if below else name
