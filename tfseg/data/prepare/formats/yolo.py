"""YOLO's segmentation labels: data.yaml, and a text file of polygons for each image."""

import functools
import os
import re

import numpy as np
import yaml

from tfseg.data.prepare.formats import class_files, raster
from tfseg.data.prepare.formats.found import Found, Item, named_by, with_background
from tfseg.data.prepare.formats.tree import split_of
from tfseg.errors import TfsegError
from tfseg.files import read_text

_LINE = re.compile(r"\s*\d+(\s+[-+.\deE]+){4,}\s*")


def recognise(tree):
    """A YAML file with names, and text files of numbers."""
    texts = [name for name in tree.ending(".txt") if _is_labels(tree, name)]
    table = _table(tree)
    if table and tree.matching("*labels/*.txt"):
        return f"{table} with names, and text files in labels"
    return f"{texts[0]}, which has a class and a polygon a line" if texts else None


def _is_labels(tree, name):
    if "labels/" not in f"{name}" and tree.matching("*labels/*.txt"):
        return False
    try:
        lines = tree.text(name).splitlines()
    except TfsegError:
        return False
    return bool(lines) and all(_LINE.fullmatch(line) for line in lines[:3])


def _table(tree):
    named = [tree.only] if tree.only else tree.ending(".yaml", ".yml")
    return next((name for name in named if re.search(r"(?m)^\s*names\s*:", tree.text(name))), None)


def read_names(path, text):
    """The class names of data.yaml: a list, or {number: name}.

    Raises:
        TfsegError: it is no YAML, or has no names.
    """
    try:
        content = yaml.safe_load(text)
    # Its parser has errors of its own, and Python's for dates and deep nesting.
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise TfsegError(f"{path} is no YAML file: {reason}") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict):
        if not all(type(key) is int for key in names) or sorted(names) != list(range(len(names))):
            raise TfsegError(f"{path}: the names must be numbered 0, 1, 2 and so on")
        names = [names[key] for key in sorted(names)]
    if not isinstance(names, list) or not names:
        raise TfsegError(f"{path} has no list of names")
    return [str(name) for name in names]


def read(tree, options):
    """The images that have a text file of their name, or lie where others have one."""
    table = _table(tree)
    names, origin = list(options.classes), None
    if not names and table:
        names, origin = read_names(tree.path(table), tree.text(table)), table
    if not names:
        origin, names = class_files.names(tree)
    texts = {_key(name): name for name in tree.ending(".txt") if _key(name)}
    if not names:
        top = max((_highest(tree, name) for name in texts.values()), default=-1)
        names = [f"class {number}" for number in range(top + 1)]
        origin = "the objects' numbers"
    found = Found([], notes=[named_by(origin)] if origin else [])
    found.classes, found.background = with_background(names, tree.root)
    shift = len(found.classes) - len(names)
    for name in tree.pictures:
        text = texts.get(_key(name))
        split = next((split for part in name.split("/")[:-1] if (split := split_of(part))), None)
        label = text and functools.partial(
            draw, tree.path(text), len(names), shift, found.background, options.on_top
        )
        found.items.append(Item(tree.path(name), name, label, split))
    return found


def _key(name):
    """What an image and its text file have in common."""
    folders, base = os.path.split(os.path.splitext(name)[0])
    kept = [part for part in folders.split("/") if part.lower() not in ("images", "labels")]
    return "/".join([*kept, base])


def _highest(tree, name):
    return max((row[0] for row in read_labels(tree.path(name), tree.text(name))), default=-1)


def read_labels(path, text):
    """[(class number, points float64 [N, 2], as shares of width and height)] of a text file.

    Raises:
        TfsegError: a line is no class and polygon; boxes are none.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words, title = line.split(), f"{path}, line {number}"
        if not words:
            continue
        if len(words) == 5:
            raise TfsegError(f"{title} is a box, which says nothing of pixels: polygons are needed")
        problem = TfsegError(f"{title}: expected a class and a polygon, not '{line[:60]}'")
        if len(words) < 7 or not words[0].isdecimal() or len(words[0]) > 4:
            raise problem
        try:
            values = [float(word) for word in words[1:]]
        except ValueError as error:
            raise problem from error
        points = raster.points_of(values, title)
        if not (np.abs(points - 0.5) <= 1.5).all():
            raise TfsegError(f"{title}: coordinates are shares of width and height, 0 to 1")
        rows.append((int(words[0]), points))
    return rows


def draw(path, count, shift, background, on_top, size):
    """The label map of a text file; `size` is the image's (width, height)."""
    objects = []
    for number, points in read_labels(path, read_text(path)):
        if number >= count:
            raise TfsegError(f"{path} has the class {number}, but there are {count}")
        # Shares are of edges; pixel (0, 0) has its centre at half a pixel.
        # Files keep six decimals or so, and what should be a pixel's centre may lie a trifle before
        # it: drawing takes whole parts of corners, so that would be the pixel before.
        corners = np.round(points * size - 0.5, 2)
        objects.append((number + shift, raster.polygon(corners, size)))
    return raster.paint(objects, size, background, on_top or "later")
