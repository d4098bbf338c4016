"""Files that name classes, beside the images: names alone, or with their colours or values."""

import csv
import re

from tfseg.data.catalog import read_classes
from tfseg.data.prepare.formats.found import plain
from tfseg.errors import TfsegError

_NAMES = ("class_names.txt", "classes.txt", "labels.txt", "names.txt", "codes.txt", "obj.names")
_TABLES = ("class_dict.csv", "colors.csv", "colours.csv", "color_map.csv", "classes.csv")
# Labels that mean no class, in any case.
IGNORED = ("ignore", "ignored", "void")
_COLOUR_LINES = ("labelmap.txt", "label_colors.txt", "label_colours.txt")


def names(tree):
    """(file, names in order) of a text file with one a line; (None, []) where there is none."""
    found = tree.matching(*_NAMES, *(f"*/{name}" for name in _NAMES))
    if not found:
        return None, []
    file = min(found, key=_depth)
    lines = [line.strip() for line in tree.text(file).splitlines()]
    # LabelMe's begins with what is to be ignored.
    return file, [plain(line) for line in lines if line and plain(line).lower() != "ignore"]


def colours(tree):
    """(file, names, {(r, g, b): class}) of a table of colours; None where there is none.

    Colours of what means no class lead to 255.

    Raises:
        TfsegError: the file is no such table.
    """
    for name in sorted(tree.ending(*_TABLES, *_COLOUR_LINES), key=_depth):
        base = name.rpartition("/")[2].lower()
        if base in _TABLES:
            facts = read_classes(tree.path(name), colours=True)
            return name, *_without_ignored(facts["classes"], facts["color_map"])
        if base in _COLOUR_LINES:
            return name, *_without_ignored(*_colour_lines(tree.path(name), tree.text(name)))
    return None


def _without_ignored(names, colour_map):
    kept = [index for index, name in enumerate(names) if name.lower() not in IGNORED]
    if not kept:
        return names, colour_map
    place = {index: new for new, index in enumerate(kept)}
    colours = {colour: place.get(index, 255) for colour, index in colour_map.items()}
    return tuple(names[index] for index in kept), colours


def _colour_lines(path, text):
    """CVAT's "name:r,g,b:parts:actions" and CamVid's "r g b name", a class a line."""
    found, number = {}, r"(\d{1,3})"
    before = re.compile(rf"{number}[\s,]+{number}[\s,]+{number}[\s,:]+(.+)")
    after = re.compile(rf"(.+?)\s*[:,\s]\s*{number}\s*,\s*{number}\s*,\s*{number}(?::.*)?")
    for line_number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if match := before.fullmatch(line):
            *colour, name = match.groups()
        elif match := after.fullmatch(line):
            name, *colour = match.groups()
        else:
            raise TfsegError(
                f"{path}, line {line_number}: expected a class and its colour, such as "
                f"'road:128,64,128::', not '{line[:80]}'"
            )
        colour = tuple(map(int, colour))
        if max(colour) > 255 or colour in found or plain(name) in found.values():
            raise TfsegError(
                f"{path}, line {line_number}: the colour {colour} or the name {name} comes twice, "
                "or is above 255"
            )
        found[colour] = plain(name)
    if not found:
        raise TfsegError(f"{path} names no class")
    return tuple(found.values()), {colour: index for index, colour in enumerate(found)}


def values(tree, name):
    """{value in the masks: name} of Roboflow's _classes.csv.

    Raises:
        TfsegError: it is no such table.
    """
    rows = [row for row in csv.reader(tree.text(name).splitlines()) if row][1:]
    try:
        found = {int(value): label.strip() for value, label, *_ in rows}
    except ValueError as error:
        raise TfsegError(f"{tree.path(name)} is no table of 'Pixel Value, Class'") from error
    if not found or not all(0 <= value <= 255 for value in found):
        raise TfsegError(f"{tree.path(name)} is no table of 'Pixel Value, Class' in 0..255")
    return found


def _depth(name):
    return name.count("/"), name
