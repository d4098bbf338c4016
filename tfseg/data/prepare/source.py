"""Any source to a data folder: recognise it, read it, look at its masks, part it, write it."""

import collections
import contextlib
import csv
import dataclasses
import functools
import os

import numpy as np
from absl import logging

from tfseg.bands import RGB, Bands
from tfseg.data.catalog import Dataset, DatasetRow
from tfseg.data.lists import ImageList
from tfseg.data.prepare.bands import survey_bands
from tfseg.data.prepare.folders import Pair, prepare_dataset, store, store_pairs
from tfseg.data.prepare.formats import table as formats
from tfseg.data.prepare.formats.found import Found, Options
from tfseg.data.prepare.formats.masks import Reading, interpret
from tfseg.data.prepare.formats.raster import OVERLAPS
from tfseg.data.prepare.formats.survey import survey
from tfseg.data.prepare.formats.tree import Tree, split_in
from tfseg.data.prepare.parting import part
from tfseg.data.prepare.tiling import Cutter, Piece, Tiling, cut
from tfseg.errors import TfsegError
from tfseg.files import atomic_write
from tfseg.outputs import OutputFolder, stems
from tfseg.parts import Unfinished
from tfseg.words import counted

# Beside the lists: what was left out and why, and the colours that were counted.
SKIPPED, COLOURS = "skipped.csv", "colours.csv"


@dataclasses.dataclass
class Plan:
    """What will be written of a source.

    Attributes:
        source: the folder.
        format: the row of `IMPORT_FORMATS` or `DATASETS`.
        why: by what it was recognised, in words.
        found: what it holds, `Found`; None for a row of `DATASETS`.
        splits: {split: items}.
        reading: what masks mean; None where there are none.
        dataset: names and colours of the classes.
        notes: what a person should know, a sentence each.
        skipped: (file, reason) of what is left out.
        bands: `Bands` of the images.
        tiling: the `Tiling` by which they were cut, or None.
    """

    source: str
    format: object
    why: str
    found: Found | None = None
    splits: dict = dataclasses.field(default_factory=dict)
    reading: Reading | None = None
    dataset: Dataset | None = None
    notes: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    bands: Bands = RGB
    tiling: Tiling | None = None

    @property
    def counts(self):
        """{split: number of images}."""
        return {split: len(items) for split, items in self.splits.items()}


def recognise(source, name=None):
    """(`Tree`, row, why) of a source; `name` is that of the row where the user says it.

    Raises:
        TfsegError: there is no such source or row, or nothing recognises it.
    """
    tree = Tree(source)
    if name is not None:
        row = formats.find(name)
        if not isinstance(row, DatasetRow) and not row.recognise(tree):
            raise TfsegError(f"{tree.root} has none of the files of {row.name}: {row.help}")
        return tree, row, "the format that was named"
    return tree, *formats.recognise(tree)


def plan(
    source,
    format=None,
    options=None,
    *,
    facts=None,
    unlabelled=None,
    val_share=None,
    group_by=None,
    channels=None,
    tile_size=None,
    overlap=None,
    tell=None,
    progress=None,
):
    """What a source holds and would become; nothing is written.

    Args:
        source: a folder, or a JSON or YAML file in one.
        format: the name of a row of `IMPORT_FORMATS` or `DATASETS`; None to recognise it.
        options: `Options`.
        facts: {"classes", "label_map", "color_map", "palette"} that the user gives, or None.
        unlabelled: a key of `formats.table.UNLABELLED`; None for the format's own.
        val_share: the share of the images that validate where the source doesn't say; None: 0.2.
        group_by: a regular expression; images whose names it finds the same in (in its first
            group, if there is one) stay in one split.
        channels: of the images; None for all that they have, of 8-bit photographs red, green and
            blue. See `tfseg.data.prepare.bands.survey_bands`.
        tile_size, overlap: cut images and masks into such tiles: see `tiling.Tiling`; None leaves
            them whole.
        tell: called as tell(row, why) once the source is recognised.
        progress: called as progress(done, total) with masks.

    Returns:
        `Plan`.

    Raises:
        TfsegError: whatever the user can put right.
    """
    options, facts = options or Options(), facts or {}
    tree, row, why = recognise(source, format)
    given = {**dataclasses.asdict(options), **facts, "unlabelled": unlabelled}
    more = {"val_share": val_share, "group_by": group_by, "channels": channels}
    more.update(tile_size=tile_size, overlap=overlap)
    tiling = Tiling(tile_size, overlap or 0) if tile_size is not None else None
    if overlap and not tiling:
        raise TfsegError("`overlap` is that of tiles: it needs `tile_size`")
    _check_meaning(row, {**given, **more})
    if tell:
        tell(row, why)
    if isinstance(row, DatasetRow):
        splits = row.load()(tree.root, **row.layout)
        whole = Plan(tree.root, row, why, splits=splits, dataset=row.facts)
        return whole
    found = row.load()(tree, options)
    _take_facts(found, facts)
    whole = Plan(tree.root, row, why, found, notes=found.notes, skipped=found.skipped)
    if row.on_top:
        whole.notes.append(OVERLAPS[options.on_top or row.on_top])
    items = _labelled(found, unlabelled or row.unlabelled, tree.root, whole)
    items, sizes = _read_masks(items, found, whole, progress)
    if not items:
        first = f": {': '.join(whole.skipped[0])}" if whole.skipped else ""
        raise TfsegError(f"{tree.root} has no image with labels that can be read{first}")
    if any(split_in(f"{folder}/") for folder in (options.images, options.labels) if folder):
        val_share = val_share or 0.0  # One split is named.
    whole.splits = part(items, val_share, group_by, whole.source, whole.notes)
    if tiling:
        whole.tiling = tiling
        _cut(whole, sizes, progress)
    whole.bands = survey_bands([item.image for item in items], channels)
    if whole.bands != RGB:
        # The range of floats is measured when they are read.
        floats = whole.bands.value_range == (0, 1)
        words = (
            f"{counted(whole.bands.channels, 'channel')} of floats"
            if floats
            else whole.bands.describe()
        )
        whole.notes.append(f"images of {words}")
    return whole


# What means something with every import format.
_COMMON = ("classes", "unlabelled", "val_share", "group_by", "channels", "tile_size", "overlap")


def _check_meaning(row, given):
    takes = () if isinstance(row, DatasetRow) else (*_COMMON, "palette", *row.takes)
    for name, value in given.items():
        if value and name not in takes:
            raise TfsegError(f"`{name}` has no meaning with `format={row.name}`")


def _take_facts(found, facts):
    for name, value in facts.items():
        # Where there is a background, labels are drawn with it among the names that were given.
        if value and not (name == "classes" and found.background is not None):
            setattr(found, name, value)
    if facts.get("label_map"):
        found.color_map = None


def _labelled(found, unlabelled, root, whole):
    """The items with labels, and those that stay without."""
    bare = [item for item in found.items if item.label is None and item.split != "test"]
    labelled = [item for item in found.items if item.label is not None]
    tests = [item for item in found.items if item.label is None and item.split == "test"]
    if any(item.split == "test" for item in labelled):
        bare, tests = bare + tests, []
    if not bare:
        return labelled + tests
    words = f"{counted(len(bare), 'image has', 'images have')} no labels, such as {bare[0].image}"
    if unlabelled == "error":
        raise TfsegError(f"{words}: `unlabelled=skip` leaves them out")
    if unlabelled == "skip":
        whole.notes.append(f"{words}: they are left out")
        whole.skipped += [(item.image, "an image without labels") for item in bare]
        return labelled + tests
    if found.background is None and not found.classes:
        found.background = 0
    background = found.background or 0
    whole.notes.append(f"{words}: all of them is background")
    fill = functools.partial(_empty, background)
    return [*labelled, *tests, *(dataclasses.replace(item, label=fill) for item in bare)]


def _empty(value, size):
    return np.full((size[1], size[0]), value, np.uint8)


def _read_masks(items, found, whole, progress):
    """The items whose masks can be read, and {mask: (H, W)}; says in `whole` what masks mean."""
    masks = list(dict.fromkeys(item.label for item in items if isinstance(item.label, str)))
    if not masks:
        whole.dataset = Dataset(whole.source, found.classes, found.palette)
        return items, {}
    seen = survey(masks, progress)
    whole.skipped += seen.failed
    failed = {path for path, _ in seen.failed}
    if len(failed) == len(masks):
        raise TfsegError(f"no mask can be read: {seen.failed[0][1]}")
    whole.reading = interpret(seen, found, whole.source)
    whole.dataset = whole.reading.dataset
    whole.notes += whole.reading.notes
    return [item for item in items if item.label not in failed], seen.sizes


def _cut(whole, sizes, progress):
    """Puts tiles in the place of a plan's images."""
    whole.splits = cut(whole.splits, whole.tiling, sizes, whole.skipped, progress)
    if not whole.splits:
        raise TfsegError(f"{whole.source} has no image that can be cut: {whole.skipped[0][1]}")
    items = [item for split in whole.splits.values() for item in split]
    number = len({item.image for item in items})
    if number == 1 and "train" in whole.splits:
        whole.notes.append("there is one scene, whose tiles stay together: none validates")
    size, tiles = whole.tiling.tile_size, len(items)
    whole.notes.append(
        f"{counted(number, 'image becomes', 'images become')} {counted(tiles, 'tile')} of at most "
        f"{size}x{size} pixels, which share {whole.tiling.overlap} with the next, or more at the "
        "right and lower edge"
    )


def carry_out(whole, data_dir, size=None, in_place=False, progress=None, *, part=None):
    """Writes what a `Plan` says below `data_dir`.

    Args:
        size, in_place, part: see `prepare_dataset`.
        progress: called as progress(done, total) with images.

    Returns:
        {split: number of images} and the `DataInfo` that was written. What can't be read is added
        to the plan's `skipped`, which skipped.csv lists. `Unfinished` while other parts are
        missing.

    Raises:
        TfsegError: no image at all could be read, or the folder can't be written.
    """
    if os.path.realpath(whole.source) == os.path.realpath(data_dir):
        raise TfsegError(
            f"the source and `data_dir` are both {data_dir}; the source must stay as it is"
        )
    if whole.found is None:
        named = whole.format.name, whole.source, data_dir
        return prepare_dataset(*named, size, in_place, progress, part=part)
    if in_place:
        done = _in_place(whole, data_dir, size, progress, part)
    else:
        done = _copied(whole, data_dir, size, progress, part)
    if isinstance(done, Unfinished):
        return done
    _write_lists(whole, data_dir)
    return done


def _copied(whole, data_dir, size, progress, part):
    rows = [(split, item) for split, items in whole.splits.items() for item in items]
    names = dict.fromkeys(item.name for _, item in rows)
    names = dict(zip(names, stems(names), strict=True))
    images = collections.defaultdict(list)
    for split, item in rows:
        images[split].append(f"images/{names[item.name]}.png")
    sources = dict.fromkeys(images, os.path.realpath(whole.source))
    files = [path for _, item in rows for path in (item.image, item.label) if isinstance(path, str)]
    folder = OutputFolder(data_dir, files)
    read = whole.reading.read if whole.reading else None
    cutter = Cutter(whole.reading)

    def pair(split, item):
        label = item.label
        if item.window:
            return Pair(split, names[item.name], None, Piece(item, cutter))
        if isinstance(label, str):
            label = functools.partial(_upright, read, label)
        return Pair(split, names[item.name], None, item.image, label)

    pairs = (pair(*row) for row in rows)
    before = len(whole.skipped)
    with contextlib.closing(cutter):
        done = store_pairs(
            *(pairs, images, sources, whole.dataset, folder, size, progress, whole.skipped),
            bands=whole.bands,
            part=part,
        )
    failed = len(whole.skipped) - before
    if failed:
        logging.warning(
            "%d of %s can't be used, such as: %s",
            failed,
            counted(len(rows), "image"),
            whole.skipped[before][1],
        )
    return done


def _upright(read, path, size):
    labels = read(path)
    if labels.shape != (size[1], size[0]):
        raise TfsegError(
            f"mask {path} is {labels.shape[1]}x{labels.shape[0]}, but its image {size[0]}x{size[1]}"
        )
    return labels


def _in_place(whole, data_dir, size, progress, part):
    reading = whole.reading
    if reading is None or reading.table is None:
        raise TfsegError(f"labels of the format {whole.format.name} can't stay in place here")
    table = None if reading.identity else reading.table
    dataset = dataclasses.replace(whole.dataset, label_map=table)
    lists = {}
    for split, items in whole.splits.items():
        bare = all(item.label is None for item in items)
        if not bare and not all(isinstance(item.label, str) for item in items):
            raise TfsegError("images without masks can't stay in place: `unlabelled=skip`")
        labels = None if bare else [item.label for item in items]
        names = [item.name for item in items]
        lists[split] = ImageList(whole.source, [item.image for item in items], labels, names)
    return store(lists, dataset, data_dir, size, True, progress, whole.bands, part=part)


def _write_lists(whole, data_dir):
    """skipped.csv and colours.csv, where there is something to say."""
    path = os.path.join(data_dir, SKIPPED)
    if whole.skipped:
        with atomic_write(path, "w") as file:
            csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *whole.skipped])
    elif os.path.exists(path):
        os.unlink(path)
    if whole.reading is not None and whole.reading.made_table:
        with atomic_write(os.path.join(data_dir, COLOURS), "w") as file:
            rows = [
                (whole.dataset.classes[index], *colour)
                for colour, index in whole.reading.colour_table.items()
            ]
            header = ("name", "red", "green", "blue")
            csv.writer(file, lineterminator="\n").writerows([header, *rows])
