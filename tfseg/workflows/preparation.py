"""Bringing a data set into the form that training reads."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from tfseg import data
from tfseg.data import DataInfo, lists
from tfseg.data import shards as packing
from tfseg.data.catalog import DATASETS, Dataset, read_classes
from tfseg.data.image_files import read_label
from tfseg.errors import TfsegError, unknown

# What is no data set of the catalogue, and the arguments that have a meaning with it.
_OWN = ("label_map", "classes", "size")
_FOLDER = ("source", "in_place", "val_share", "images", "labels", "color_map", *_OWN)
_KINDS = {
    "folder": _FOLDER,
    "tfds": ("source", "tfds_name", "tfds_splits", "tfds_features", *_OWN),
    "sample": (),
}
_KNOWN = ("source", "size", "in_place")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A data folder that is ready.

    Attributes:
        counts: {split: number of images}.
        info: what info.json says.
        shards: how many files of shards were written.
        num_classes: how many classes there are; None where nothing says it.
    """

    counts: Mapping[str, int]
    info: DataInfo
    shards: int
    num_classes: int | None


def prepare(
    dataset: str,
    data_dir: str,
    source: str | Iterable[str] = (),
    *,
    size: tuple[int, int] | None = None,
    in_place: bool = False,
    shards: int = 0,
    val_share: float = 0.0,
    images: str | None = None,
    labels: str | None = None,
    color_map: str | None = None,
    label_map: Mapping[int, int] | None = None,
    classes: Iterable[str] = (),
    tfds_name: str | None = None,
    tfds_splits: Mapping[str, str] | None = None,
    tfds_features: Iterable[str] = ("image", "segmentation_mask"),
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Makes a data folder of whatever there is; sources stay as they are.

        tfseg.prepare("camvid", "data/camvid", "SegNet/CamVid")

    Args:
        dataset: a name in `DATASETS`; "folder" for pairs of your own (with `source` two folders
            whose files match by name; without it a data folder that has its lists already); "tfds"
            for a data set of tensorflow-datasets; "sample" for drawn street scenes.
        data_dir: the folder to make.
        source: the folder, or folders, with the original's files.
        size: (width, height) to resize to; None leaves images as they are.
        in_place: list the source's files where they lie.
        shards: also pack each split into so many TFRecord files.
        val_share, images, labels, color_map: of "folder": see `prepare_folder`; a CSV file of
            name,red,green,blue of RGB label maps.
        label_map: of "folder" and "tfds": {value of the label maps: class; 255 is ignored}.
        classes: of "folder" and "tfds": the classes' names.
        tfds_name, tfds_splits, tfds_features: of "tfds": see `prepare_tfds`.
        progress: called as progress(done, total) with numbers of images.

    Raises:
        TfsegError: whatever the user can put right.
    """
    source = (source,) if isinstance(source, str) else tuple(source)
    given = {
        **{"source": source, "size": size, "in_place": in_place, "val_share": val_share},
        **{"images": images, "labels": labels, "color_map": color_map, "label_map": label_map},
        **{"classes": tuple(classes), "tfds_name": tfds_name, "tfds_splits": tfds_splits},
        "tfds_features": tuple(tfds_features) != ("image", "segmentation_mask"),
    }
    _check_meaning(dataset, given)
    if dataset == "sample":
        found = data.write_sample_dataset(data_dir)
    elif dataset == "tfds":
        _require("tfds_name", tfds_name)
        builder = data.tfds_builder(tfds_name, source[0] if source else None)
        facts = _facts(tfds_name, color_map, label_map, given["classes"])
        features = list(tfds_features)
        found = data.prepare_tfds(builder, data_dir, tfds_splits, facts, features, size, progress)
    elif dataset == "folder" and not source:
        found = data.measure_folder(data_dir, progress)
    elif dataset == "folder":
        found = data.prepare_folder(
            source[0],
            data_dir,
            _facts(source[0], color_map, label_map, given["classes"]),
            images=images,
            labels=labels,
            val_share=val_share,
            size=size,
            in_place=in_place,
            progress=progress,
        )
    else:
        _require("source", source)
        found = data.prepare_dataset(dataset, list(source), data_dir, size, in_place, progress)
    counts, info = found
    files = data.write_shards(data_dir, counts, shards, progress) if shards else ()
    number = len(info.classes) if info.classes else _count_classes(data_dir, info.ignore_label)
    return Prepared(counts, info, len(files), number)


def _check_meaning(dataset, given):
    if dataset not in (*DATASETS, *_KINDS):
        raise unknown("dataset", dataset, [*DATASETS, *_KINDS])
    meant = _KINDS.get(dataset, _KNOWN)
    kind = dataset
    if dataset == "folder" and not given["source"]:
        meant, kind = (), "folder without a source"
    for name, value in given.items():
        if value and name not in meant:
            raise TfsegError(f"`{name}` has no meaning with `dataset`={kind}")


def _require(name, value):
    if not value:
        raise TfsegError(f"`{name}` is missing")


def _facts(title, color_map, label_map, classes):
    """The `Dataset` that the arguments describe, or None."""
    if color_map:
        if label_map or classes:
            raise TfsegError("`color_map` names the classes: leave out `label_map` and `classes`")
        return Dataset(title, **read_classes(color_map, colours=True))
    for value, index in (label_map or {}).items():
        if classes and index != 255 and index >= len(classes):
            raise TfsegError(
                f"`label_map={value}:{index}`: `classes` names {len(classes)}, so a class is "
                f"0..{len(classes) - 1}, or 255 for none"
            )
    if not label_map and not classes:
        return None
    return Dataset(title, classes or None, label_map=dict(label_map or {}) or None)


def _count_classes(data_dir, ignore_label):
    """How many classes the label maps show, where nothing else says it; None without any."""
    largest = -1
    for split in ("train", "val"):
        if lists.is_list(data_dir, split) and lists.is_labelled(data_dir, split):
            image_list = data.read_split(data_dir, split)
            for index in range(len(image_list)):
                values = read_label(*packing.entry(image_list, index, 1))
                largest = max(largest, values[values != ignore_label].max(initial=0))
    return int(largest) + 1 or None
