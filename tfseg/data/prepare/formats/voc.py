"""PASCAL VOC's layout: JPEGImages, SegmentationClass and ImageSets, as CVAT writes it too."""

import os

from tfseg.data.entries import read_lines
from tfseg.data.prepare.formats.folder import name_classes
from tfseg.data.prepare.formats.found import Found, Item
from tfseg.data.prepare.formats.tree import split_of
from tfseg.errors import TfsegError

_LISTS = "*ImageSets/Segmentation/*.txt"
# VOC's other lists of the same images.
_JOINED = ("trainval",)


def recognise(tree):
    """Lists of names in ImageSets/Segmentation, and masks in SegmentationClass."""
    lists, masks = tree.matching(_LISTS), tree.matching("*SegmentationClass*/*.png")
    if lists and masks:
        return f"{lists[0]} and masks in {os.path.dirname(masks[0])}"
    return None


def recognise_cvat(tree):
    """The same with a labelmap.txt of classes and colours."""
    tables = tree.matching("labelmap.txt", "*/labelmap.txt")
    if tables and tree.matching("*SegmentationClass*/*.png"):
        return f"{tables[0]} and masks in SegmentationClass"
    return None


def read(tree, options):
    """The images that the lists name; all that have masks where there are no lists."""
    masks = {_stem(name): name for name in tree.matching("*SegmentationClass/*.png")}
    if not masks:
        masks = {_stem(name): name for name in tree.matching("*SegmentationClass*/*.png")}
    pictures = [name for name in tree.pictures if "SegmentationClass" not in name]
    pictures = {_stem(name): name for name in pictures if "SegmentationObject" not in name}
    found = Found([], options.classes or None)
    splits = {}
    for name in tree.matching(_LISTS):
        split = _stem(name)
        if split.lower() in _JOINED:
            continue
        for number, line in read_lines(tree.path(name)):
            splits.setdefault(_stem(line.split()[0]), split_of(split))
            if _stem(line.split()[0]) not in pictures:
                raise TfsegError(
                    f"{tree.path(name)}, line {number}: there is no image {line.split()[0]}"
                )
    stems = splits or {stem: None for stem in pictures if stem in masks}
    for stem, split in stems.items():
        mask = masks.get(stem)
        found.items.append(
            Item(tree.path(pictures[stem]), pictures[stem], mask and tree.path(mask), split)
        )
    name_classes(tree, found)
    return found


def _stem(name):
    return os.path.splitext(os.path.basename(name))[0]
