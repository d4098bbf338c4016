"""A data folder with lists of its own, such as this library writes, whatever its files are."""

import os

from tfseg.data.info import FILE_NAME, DataInfo
from tfseg.data.lists import is_labelled, is_list, read_split
from tfseg.data.prepare.formats.found import Found, Item, named_by

_SPLITS = ("train", "val", "test")


def recognise(tree):
    """Lists train_images.txt, train.txt, train.odgt and the like."""
    found = [split for split in _SPLITS if is_list(tree.root, split)]
    return f"lists of the splits {', '.join(found)}" if found else None


def read(tree, options):
    """The pairs that the lists name, with the classes that an info.json names."""
    found = Found([], options.classes or None)
    path = os.path.join(tree.root, FILE_NAME)
    if os.path.isfile(path):
        info = DataInfo.load(tree.root)
        if info.classes and not found.classes:
            found.classes = tuple(info.classes)
            found.notes.append(named_by(FILE_NAME))
        found.palette = tuple(map(tuple, info.palette)) if info.palette else None
        found.label_map, found.ignore_label = info.label_map, info.ignore_label
    for split in _SPLITS:
        if not is_list(tree.root, split):
            continue
        rows = read_split(tree.root, split, labels=is_labelled(tree.root, split))
        for index, (image, name) in enumerate(zip(rows.images, rows.names, strict=True)):
            found.items.append(Item(image, name, rows.labels and rows.labels[index], split))
    return found
