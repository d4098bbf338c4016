"""Bringing a data set into the form that training reads."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping

from absl import logging

from tfseg import data
from tfseg.data import DataInfo, lists
from tfseg.data import shards as packing
from tfseg.data.catalog import DATASETS, Dataset, read_classes
from tfseg.data.image_files import any_size, read_label
from tfseg.data.prepare.formats.found import Options
from tfseg.data.prepare.source import carry_out, plan
from tfseg.errors import TfsegError
from tfseg.parts import Part, Unfinished
from tfseg.reports.contact_sheet import write_contact_sheet
from tfseg.words import counted

# What is no source of files, and the arguments that have a meaning with it.
_OWN = ("label_map", "classes", "size")
_KINDS = {
    "folder without a source": (),
    "tfds": ("source", "tfds_name", "tfds_splits", "tfds_features", "color_map", *_OWN),
    "sample": (),
}
# What lies beside the lists for people to look at.
SHEET = "contact_sheet.html"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A data folder that is ready.

    Attributes:
        counts: {split: number of images}.
        info: what info.json says.
        shards: how many files of shards were written.
        num_classes: how many classes there are; None where nothing says it.
        notes: what a person should know of the source, a sentence each.
        skipped: (file, reason) of what was left out; skipped.csv lists it.
        sheet: the path of a page with sampled images and their labels, or None.
    """

    counts: Mapping[str, int]
    info: DataInfo | None
    shards: int = 0
    num_classes: int | None = None
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    sheet: str | None = None


def prepare(
    format: str | None = None,
    data_dir: str | None = None,
    source: str | Iterable[str] = (),
    *,
    size: tuple[int, int] | None = None,
    in_place: bool = False,
    shards: int = 0,
    val_share: float | None = None,
    group_by: str | None = None,
    unlabelled: str | None = None,
    on_top: str | None = None,
    channels: int | None = None,
    tile_size: int | None = None,
    overlap: int | None = None,
    images: str | None = None,
    labels: str | None = None,
    color_map: str | None = None,
    label_map: Mapping[int, int] | None = None,
    classes: Iterable[str] = (),
    tfds_name: str | None = None,
    tfds_splits: Mapping[str, str] | None = None,
    tfds_features: Iterable[str] = ("image", "segmentation_mask"),
    dry_run: bool = False,
    part: Part | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared | Unfinished:
    """Makes a data folder of whatever there is; sources stay as they are.

        tfseg.prepare(source="photos", data_dir="data/mine")
        tfseg.prepare("camvid", "data/camvid", "SegNet/CamVid")

    Args:
        format: a name in `IMPORT_FORMATS` or `DATASETS`; None to recognise what the source is.
            "folder" without a source is a data folder that has its lists already; "tfds" a data set
            of tensorflow-datasets; "sample" drawn street scenes.
        data_dir: the folder to make.
        source: the folder, or folders, with the original's files; or a JSON or YAML file.
        size: (width, height) to resize to; None leaves images as they are.
        in_place: list the source's files where they lie.
        shards: also pack each split into so many TFRecord files.
        val_share, group_by, unlabelled: see `tfseg.data.prepare.source.plan`.
        on_top: which object lies on top where several meet: "later", "earlier" or "smaller"; None
            for the format's own rule.
        channels: of the images, where they have an alpha channel or grey that is to be kept; None:
            see `tfseg.data.prepare.bands.survey_bands`.
        tile_size, overlap: cut images and masks into tiles: see docs/scenes.md.
        images, labels: of "folder": the names of the subfolders.
        color_map: a CSV file of name,red,green,blue of coloured masks.
        label_map: {value of the masks: class; 255 is ignored}.
        classes: the classes' names.
        tfds_name, tfds_splits, tfds_features: of "tfds": see `prepare_tfds`.
        dry_run: look at everything and write nothing.
        part: which share of the files to convert; None for all. The one that ends last makes the
            folder ready.
        progress: called as progress(done, total) with numbers of images.

    Returns:
        `Prepared`; `Unfinished` while other parts are missing.

    Raises:
        TfsegError: whatever the user can put right.
    """
    source = (source,) if isinstance(source, str) else tuple(source)
    _require("data_dir", data_dir or dry_run)
    given = {
        **{"source": source, "size": size, "in_place": in_place, "val_share": val_share},
        **{"group_by": group_by, "unlabelled": unlabelled, "on_top": on_top},
        **{"images": images, "labels": labels, "color_map": color_map, "label_map": label_map},
        **{"classes": tuple(classes), "tfds_name": tfds_name, "tfds_splits": tfds_splits},
        "tfds_features": tuple(tfds_features) != ("image", "segmentation_mask"),
        **{"dry_run": dry_run, "part": part, "channels": channels},
        **{"tile_size": tile_size, "overlap": overlap},
    }
    kind = "folder without a source" if format == "folder" and not source else format
    if kind in _KINDS:
        _check_meaning(kind, _KINDS[kind], given)
    else:
        known = DATASETS[format].sources if format in DATASETS else 1
        _require("source", source)
        if len(source) > known:
            raise TfsegError(f"one `source` is read at a time, not {len(source)}")
        _check_meaning(kind, [name for name in given if not name.startswith("tfds")], given)
    if format == "sample":
        found = data.write_sample_dataset(data_dir)
    elif format == "tfds":
        _require("tfds_name", tfds_name)
        builder = data.tfds_builder(tfds_name, source[0] if source else None)
        facts = _facts(tfds_name, color_map, label_map, given["classes"])
        features = list(tfds_features)
        found = data.prepare_tfds(builder, data_dir, tfds_splits, facts, features, size, progress)
    elif not source:
        found = data.measure_folder(data_dir, progress)
    elif format in DATASETS and not dry_run:
        named = ("source", "size", "in_place", "part")
        _check_meaning(format, named, given)
        named = format, list(source), data_dir
        found = data.prepare_dataset(*named, size, in_place, progress, part=part)
    else:
        options = Options(images, labels, given["classes"], on_top)
        facts = _facts(source[0], color_map, label_map, given["classes"])
        with any_size() if tile_size else contextlib.nullcontext():
            return _from_source(
                *(format, data_dir, source[0], options, facts, size, in_place, shards, dry_run),
                progress,
                part,
                unlabelled=unlabelled,
                val_share=val_share,
                group_by=group_by,
                channels=channels,
                tile_size=tile_size,
                overlap=overlap,
            )
    if isinstance(found, Unfinished):
        return found
    return _finished(data_dir, *found, shards, progress)


def _from_source(
    format,
    data_dir,
    source,
    options,
    facts,
    size,
    in_place,
    shards,
    dry_run,
    progress,
    part,
    **more,
):
    """Recognises a source, and makes a data folder of it or, with `dry_run`, only says of what."""
    if more["tile_size"] and (in_place or size):
        name = "in_place" if in_place else "size"
        raise TfsegError(f"`{name}` is for whole images: leave it out with `tile_size`")
    names = ("classes", "palette", "color_map", "label_map")
    facts = {name: getattr(facts, name, None) for name in names}
    whole = plan(source, format, options, facts=facts, tell=_tell, progress=progress, **more)
    if dry_run:
        names = whole.dataset.classes
        notes = (*whole.notes, f"{counted(len(names), 'class')}: {', '.join(names)}")
        return Prepared(whole.counts, None, 0, len(names), notes, tuple(whole.skipped))
    found = carry_out(whole, data_dir, size, in_place, progress, part=part)
    if isinstance(found, Unfinished):
        return found
    done = _finished(data_dir, *found, shards, progress)
    sheet = _draw_sheet(data_dir, done)
    return dataclasses.replace(
        done, notes=tuple(whole.notes), skipped=tuple(whole.skipped), sheet=sheet
    )


def _tell(row, why):
    logging.info("format: %s (%s)", row.name, row.help)
    logging.info("recognised by %s", why)


def _draw_sheet(data_dir, done):
    """The path of a page with sampled images and what their labels say; None without labels."""
    splits = [split for split in done.counts if lists.is_labelled(data_dir, split)]
    if not splits or not done.num_classes:
        return None
    report = data.check_dataset(data_dir, done.num_classes, splits, quick=True)
    path = os.path.join(data_dir, SHEET)
    write_contact_sheet(path, data_dir, report)
    return path


def _finished(data_dir, counts, info, shards, progress):
    files = data.write_shards(data_dir, counts, shards, progress) if shards else ()
    number = len(info.classes) if info.classes else _count_classes(data_dir, info.ignore_label)
    return Prepared(counts, info, len(files), number)


def _check_meaning(kind, meant, given):
    for name, value in given.items():
        if value and name not in meant:
            raise TfsegError(f"`{name}` has no meaning with `format`={kind}")


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
