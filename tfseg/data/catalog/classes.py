"""What a data set's label maps mean, and the CSV files that say it."""

import csv
import dataclasses

from tfseg.data.info import is_label, require_distinct
from tfseg.errors import TfsegError
from tfseg.files import read_text

# Other spellings of a class table's columns.
_COLUMNS = {"r": "red", "g": "green", "b": "blue"}


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What the classes of a data set are called, how they are coloured, and what labels mean.

    Attributes:
        title: the data set's name in print.
        classes: class names in index order.
        palette: one (r, g, b) (0..255) per class.
        label_map: {value in the original's label maps: class index or `ignore_label`}, complete;
            None where values are class indices.
        color_map: {(r, g, b) in the original's label maps: class index or `ignore_label`} where
            those are colours, otherwise None.
        ignore_label: the label value that neither loss nor metric counts.

    Raises:
        TfsegError: two classes have one name.
    """

    title: str
    classes: tuple | None = None
    palette: tuple | None = None
    label_map: dict | None = None
    color_map: dict | None = None
    ignore_label: int = 255

    def __post_init__(self):
        require_distinct(self.classes or ())


def read_classes(path, ignore_label=255, shift=0, colours=False):
    """The facts of a class table.

    Args:
        path: a CSV file with the columns name, red, green and blue (or r, g, b). A column `index`
            gives the class index, empty for what has no class; without it, rows are classes in
            their order. A column `value` gives the value in label maps. Lines that start with #
            are comments.
        ignore_label: what stands for "no class".
        shift: added to each value.
        colours: label maps hold the colours, whatever the values say.

    Returns:
        {"classes", "palette", "label_map"}, or with "color_map" instead of "label_map" with
        `colours` or where there is no column `value`: arguments of `Dataset`. A label map that
        changes nothing is None.

    Raises:
        TfsegError: the file can't be read, or is no such table.
    """
    rows = _read_rows(path)
    coloured = colours or "value" not in rows[0]
    classes, keys = {}, {}
    for number, row in enumerate(rows):
        colour = tuple(row[name] for name in ("red", "green", "blue"))
        index = row.get("index", number)
        if index is not None:
            classes[index] = (row["name"], colour)
        key = colour if coloured else row["value"] + shift
        # A shift moves the value for "unlabelled" off the end: there it is the ignore label itself.
        key = ignore_label if key == -1 else key
        if not coloured and not is_label(key):
            raise TfsegError(f"{path} has the label value {key}, which is not in 0..255")
        if keys.setdefault(key, index) != index:
            raise TfsegError(f"{path} gives {key} two meanings: {keys[key]} and {index}")
    if sorted(classes) != list(range(len(classes))) or not classes:
        raise TfsegError(f"{path}: the class indices must be 0, 1, 2 and so on without a gap")
    names, palette = zip(*(classes[index] for index in range(len(classes))), strict=True)
    try:
        require_distinct(names)
    except TfsegError as error:
        raise TfsegError(f"{path}: {error}") from error
    keys = {key: ignore_label if index is None else index for key, index in keys.items()}
    facts = {"classes": names, "palette": palette}
    if coloured:
        return {**facts, "color_map": keys}
    identity = all(key == index for key, index in keys.items())
    return {**facts, "label_map": None if identity else keys}


def _read_rows(path):
    """[{column: text for name, int or None for the others}]"""
    try:
        lines = read_text(path).splitlines()
        reader = csv.DictReader(
            (line for line in lines if line.strip() and not line.startswith("#")),
            skipinitialspace=True,
        )
        rows = []
        for row in reader:
            row = {_COLUMNS.get(key.strip(), key.strip()): text for key, text in row.items()}
            cells = {key: row[key] for key in ("index", "value") if key in row}
            cells = {key: int(text) if text.strip() else None for key, text in cells.items()}
            for key in ("red", "green", "blue"):
                cells[key] = int(row[key])
                if not is_label(cells[key]):
                    raise ValueError(f"{cells[key]} is not in 0..255")
            if cells.get("value", 0) is None:
                raise ValueError(f"{row['name']} has no value")
            rows.append({"name": row["name"].strip(), **cells})
    except KeyError as error:
        raise TfsegError(f"{path} has no column {error}: name, red, green, blue") from error
    except (ValueError, AttributeError, TypeError, csv.Error) as error:
        reason = str(error).splitlines()[0]
        raise TfsegError(f"{path} is no table of name, red, green, blue: {reason}") from error
    if not rows:
        raise TfsegError(f"{path} is an empty table")
    return rows
