"""Roboflow's semantic segmentation masks: train, valid, test with NAME.jpg, NAME_mask.png."""

import os

from tfseg.data.prepare.formats import class_files
from tfseg.data.prepare.formats.found import Found, Item, named_by, plain
from tfseg.data.prepare.formats.tree import split_in
from tfseg.errors import TfsegError

_TABLE = "_classes.csv"


def recognise(tree):
    """A table _classes.csv beside masks."""
    tables = tree.matching(_TABLE, f"*/{_TABLE}")
    if tables and tree.matching("*_mask.png"):
        return f"{tables[0]} and masks *_mask.png"
    return None


def read(tree, options):
    """The images beside masks; the tables of all folders have to agree."""
    names, first = {}, {}
    for table in tree.matching(_TABLE, f"*/{_TABLE}"):
        for value, name in class_files.values(tree, table).items():
            if names.setdefault(value, name) != name:
                raise TfsegError(
                    f"{tree.path(table)} calls the value {value} {name}, but "
                    f"{tree.path(first[value])} calls it {names[value]}"
                )
            first.setdefault(value, table)
    values = sorted(names)
    found = Found([], tuple(options.classes) or tuple(plain(names[value]) for value in values))
    if not options.classes:
        found.notes.append(named_by(_TABLE))
    found.label_map = {value: index for index, value in enumerate(values)}
    masks = {name[: -len("_mask.png")]: name for name in tree.matching("*_mask.png")}
    for name in tree.pictures:
        if name not in masks.values():
            mask = masks.get(os.path.splitext(name)[0])
            split = split_in(os.path.dirname(name) + "/")
            found.items.append(Item(tree.path(name), name, mask and tree.path(mask), split))
    return found
