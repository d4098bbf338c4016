"""Brings a data set into the form that training reads: lists, index PNGs, info.json.

    tfseg prepare photos --data_dir=data/mine
    tfseg prepare export/annotations.json --data_dir=data/mine --dry_run
    tfseg prepare photos --format=folder --group_by='^[^_]+' --data_dir=data/mine
    tfseg prepare SegNet/CamVid --format=camvid --data_dir=data/camvid
    tfseg prepare VOCdevkit/VOC2012 benchmark_RELEASE --format=voc12aug --data_dir=data/voc12
    tfseg prepare --format=folder --data_dir=my/data
    tfseg prepare --format=tfds --tfds_name=oxford_iiit_pet --label_map=1:0,2:1,3:255 \\
        --classes=pet,background --data_dir=data/pets
    tfseg prepare --format=sample --data_dir=data/sample

What SOURCE is, exports of annotation tools, pairs of images and masks, or a released data set, is
recognised and said; --format overrides it, and --dry_run only tells. "folder" without a source is
a data folder that has its lists already, of which mean, std and class weights are computed. "tfds"
is any segmentation data set of tensorflow-datasets, or with --tfds_features=image,label any of
image classification, which becomes folders for `tfseg classify`. "sample" draws small street
scenes. Sources stay as they are, and all can be run again.
"""

import os
import re
import textwrap
from collections.abc import Iterator

from absl import flags as absl_flags

from tfseg import workflows
from tfseg.cli import next_step, shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given, without
from tfseg.data.catalog import DATASETS
from tfseg.data.prepare.formats.raster import OVERLAPS
from tfseg.data.prepare.formats.table import IMPORT_FORMATS, UNLABELLED
from tfseg.data.prepare.source import SKIPPED
from tfseg.errors import TfsegError
from tfseg.parts import Unfinished
from tfseg.words import counted

PATHS = "[SOURCE]"
GROUPS = {
    "Data": "data_dir format dry_run size channels tile_size overlap in_place shards part json",
    "Splits": "val_share group_by unlabelled",
    "Labels": "images labels classes label_map color_map on_top",
    "Of tfds": "tfds_name tfds_splits tfds_features",
}
_TFDS = Need("--format=tfds", lambda flags: flags.format == "tfds")
NEEDS = {
    **dict.fromkeys(("tfds_name", "tfds_splits", "tfds_features"), _TFDS),
    **dict.fromkeys(("part", "shards"), Need("--dry_run", without("dry_run"), beside=True)),
    "overlap": Need("--tile_size=1024", given("tile_size")),
}


class _Overlap(absl_flags.IntegerParser):
    """A number of pixels; the flag was that of what is --on_top before."""

    def parse(self, argument: str | int) -> int:
        if argument in OVERLAPS:
            raise TfsegError(f"--overlap={argument} is now --on_top={argument}")
        return super().parse(argument)


def define(flags: Flags) -> None:
    flags.choice(
        *("format", None, [*IMPORT_FORMATS, *DATASETS, "tfds", "sample"]),
        f"What SOURCE is; default: it is recognised. {IMPORT_FORMATS.help()}; {DATASETS.help()}.",
    )
    flags.alias("dataset", "format")
    flags.multi("source", [], "The same as SOURCE; voc12aug may have two.")
    flags.boolean("dry_run", False, "Look at everything, tell, and write nothing.")
    flags.string("size", None, "Resize to WIDTHxHEIGHT, such as 240x176; default: as they are.")
    flags.integer(
        "channels",
        None,
        "Of the images: 4 keeps alpha, 1 keeps grey as it is; default: red, green and blue of "
        "8-bit photographs, otherwise all that there are.",
        1,
    )
    flags.integer(
        "tile_size", None, "Cut images and masks into tiles of this height and width.", 32
    )
    flags.integer("overlap", None, "With --tile_size: pixels that neighbouring tiles share (0).", 0)
    flags["overlap"].parser = _Overlap(0)
    flags.boolean("in_place", False, "Don't copy: list the source's files as they lie.")
    flags.integer("shards", 0, "Also pack each split into so many TFRecord files.", 0)
    flags.number(
        *("val_share", None, "Share of the images for validation, where none are; default 0.2."),
        *(0.0, 0.9),
    )
    flags.string(
        "group_by", None, "Regular expression: images where it finds the same stay together."
    )
    flags.choice(
        *("unlabelled", None, UNLABELLED),
        f"Images without labels: {'; '.join(f'{k}: {v}' for k, v in UNLABELLED.items())}.",
    )
    flags.choice(
        *("on_top", None, OVERLAPS),
        f"Where objects meet: {'; '.join(f'{k}: {v}' for k, v in OVERLAPS.items())}; default: the "
        "format's rule.",
    )
    flags.string("images", None, "folder: subfolder of the images; default images, img_dir, …")
    flags.string("labels", None, "folder: that of the masks; default labels, masks, ann_dir, …")
    flags.string("color_map", None, "CSV file of name,red,green,blue of coloured masks.")
    flags.several("label_map", [], "value:class,… of the masks; 255: ignored.")
    flags.several("classes", [], "Class names.")
    flags.string("tfds_name", None, "tfds: name of the data set; --source is where it lies.")
    flags.several("tfds_splits", [], "tfds: split=split,… such as train=train[:90%],val=test.")
    flags.several(
        "tfds_features",
        ["image", "segmentation_mask"],
        "tfds: image and mask; or image and class.",
    )
    shared.define_data(flags)
    shared.define_part(flags)
    flags.report()


def main(flags: Flags, paths: list[str]) -> None:
    sources = [*paths, *flags.source]
    if not flags.dry_run and not flags.data_dir:
        name = os.path.basename(os.path.abspath(sources[0])) if sources else "mine"
        raise TfsegError(f"say where to write: add --data_dir=data/{name}, for example")
    pairs = _pairs(flags, "label_map", ":", "value:class, two numbers", r"\d+")
    sharable = bool(sources) and flags.format not in ("tfds", "sample")
    part = shared.read_part(flags, sharable and not (flags.dry_run or flags.in_place))
    same = "channels in_place shards val_share group_by unlabelled on_top images labels"
    same += " color_map classes tile_size overlap"
    with shared.progress_bar("image") as progress:
        found = workflows.prepare(
            flags.format,
            flags.data_dir,
            sources,
            size=_size(flags.size),
            label_map={int(value): int(index) for value, index in pairs},
            tfds_name=flags.tfds_name,
            tfds_splits=dict(_pairs(flags, "tfds_splits", "=", "split=split")) or None,
            tfds_features=flags.tfds_features,
            dry_run=flags.dry_run,
            part=part,
            progress=progress,
            **{name: flags[name].value for name in same.split()},
        )
    if isinstance(found, Unfinished):
        shared.say_unfinished(flags, found)
        return
    for note in found.notes:
        print(flags.spell(f"- {note}"))
    if flags.dry_run:
        images = ", ".join(f"{count} {split}" for split, count in found.counts.items())
        left = counted(len(found.skipped), "file")
        print(f"images that would be written: {images}; {left} would be left out")
        for file, reason in found.skipped[:20]:
            print(f"  {file}: {reason}")
    else:
        print_summary(flags.data_dir, found)
    flags.found = {"data_dir": flags.data_dir, **vars(found)}


def _pairs(
    flags: Flags, name: str, separator: str, form: str, pattern: str = ".+"
) -> Iterator[tuple[str, str]]:
    for part in flags[name].value or ():
        match = re.fullmatch(f"({pattern}?){separator}({pattern})", part)
        if not match:
            raise TfsegError(f"--{name}={part} is not of the form {form}")
        yield match[1], match[2]


def _size(text: str | None) -> tuple[int, int] | None:
    """ "240x176" as (240, 176); None stays None."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise TfsegError(f"--size={text} is not of the form WIDTHxHEIGHT, such as 240x176")
    return int(match[1]), int(match[2])


def print_summary(data_dir: str, found: "workflows.Prepared") -> None:
    """What the folder has, and what comes next."""
    images = ", ".join(f"{count} {split}" for split, count in found.counts.items())
    print(f"{data_dir}: {images}" + (f"; {counted(found.shards, 'shard')}" if found.shards else ""))
    info = found.info
    print("mean    " + "  ".join(f"{value:.4f}" for value in info.mean))
    print("std     " + "  ".join(f"{value:.4f}" for value in info.std))
    if info.classes:
        names = ", ".join(info.classes)
        print(f"classes {len(info.classes)}: {textwrap.shorten(names, 400, placeholder=' …')}")
    else:
        print('classes not named: add "classes" to info.json, or give --num_classes from now on')
    if info.class_weights:
        print(f"class weights for --class_weights: {', '.join(info.class_weights)}")
    if found.skipped:
        path = os.path.join(data_dir, SKIPPED)
        print(f"left out {counted(len(found.skipped), 'file')}, listed with the reasons in {path}")
    if found.sheet:
        print(f"look at {found.sheet}")
    unnamed = None if info.classes else found.num_classes
    next_step.say(next_step.after_prepare(data_dir, unnamed))
