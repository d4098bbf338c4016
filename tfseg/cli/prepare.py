"""Brings a data set into the form that training reads: lists, index PNGs, info.json.

    tfseg prepare --dataset=sample --data_dir=data/sample
    tfseg prepare --dataset=camvid --source=SegNet/CamVid --data_dir=data/camvid
    tfseg prepare --dataset=cityscapes --source=cityscapes --in_place --data_dir=…
    tfseg prepare --dataset=voc12aug --source=VOCdevkit/VOC2012 --source=benchmark_RELEASE \\
        --data_dir=data/voc12
    tfseg prepare --dataset=folder --source=photos --val_share=0.1 --data_dir=…
    tfseg prepare --dataset=folder --data_dir=my/data
    tfseg prepare --dataset=tfds --tfds_name=oxford_iiit_pet --label_map=1:0,2:1,3:255 \\
        --classes=pet,background --data_dir=data/pets

"sample" draws small street scenes. "folder" is for pairs of your own: with --source two folders
whose files match by name, without it a data folder that has its lists already, of which mean, std
and class weights are computed. "tfds" is any segmentation data set of tensorflow-datasets, or with
--tfds_features=image,label any of image classification, which becomes folders for `tfseg classify`.
The others read the original's files. Sources stay as they are, and all can be run again.
"""

import re
import textwrap
from collections.abc import Iterator

from tfseg import workflows
from tfseg.cli import next_step, shared
from tfseg.cli.flags import Flags
from tfseg.data.catalog import DATASETS
from tfseg.errors import TfsegError

GROUPS = {
    "Data": "dataset source data_dir in_place size shards",
    "Of folder and tfds": "images labels val_share color_map label_map classes",
    "Of tfds": "tfds_name tfds_splits tfds_features",
}


def define(flags: Flags) -> None:
    flags.choice("dataset", None, [*DATASETS, "folder", "tfds", "sample"], "Which data set.")
    flags.multi("source", [], "Folder with the original's files; voc12aug may have two.")
    flags.string("size", None, "Resize to WIDTHxHEIGHT, such as 240x176; default: as they are.")
    flags.boolean("in_place", False, "Don't copy: list the source's files as they lie.")
    flags.integer("shards", 0, "Also pack each split into so many TFRecord files.", 0)
    flags.number("val_share", 0.0, "folder: share of the images for validation.", 0.0, 0.9)
    flags.string("images", None, "folder: subfolder of --source; default images, img_dir, …")
    flags.string("labels", None, "folder: that of the label maps; default labels, ann_dir, …")
    flags.string("color_map", None, "folder: CSV file of name,red,green,blue of RGB label maps.")
    flags.several("label_map", [], "folder, tfds: value:class,… of the label maps; 255: ignored.")
    flags.several("classes", [], "folder, tfds: class names.")
    flags.string("tfds_name", None, "tfds: name of the data set; --source is where it lies.")
    flags.several("tfds_splits", [], "tfds: split=split,… such as train=train[:90%],val=test.")
    flags.several(
        "tfds_features",
        ["image", "segmentation_mask"],
        "tfds: image and mask; or image and class.",
    )
    shared.define_data(flags)


def main(flags: Flags) -> None:
    flags.require("dataset", "data_dir")
    pairs = _pairs(flags, "label_map", ":", "value:class, two numbers", r"\d+")
    same = ("source", "in_place", "shards", "val_share", "images", "labels", "color_map", "classes")
    with shared.progress_bar("image") as progress:
        found = workflows.prepare(
            flags.dataset,
            flags.data_dir,
            size=_size(flags.size),
            label_map={int(value): int(index) for value, index in pairs},
            tfds_name=flags.tfds_name,
            tfds_splits=dict(_pairs(flags, "tfds_splits", "=", "split=split")) or None,
            tfds_features=flags.tfds_features,
            progress=progress,
            **{name: flags[name].value for name in same},
        )
    print_summary(flags.data_dir, found)


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
    print(f"{data_dir}: {images}" + (f"; {found.shards} shards" if found.shards else ""))
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
    unnamed = None if info.classes else found.num_classes
    if command := next_step.after_prepare(data_dir, unnamed):
        print(f"next:   {command}")
