"""Label maps that any program has predicted: found by name, read, and checked like labels."""

import collections
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from tfseg.data.image_files import opened, reading, rgb_array
from tfseg.data.lists import ImageList
from tfseg.errors import TfsegError
from tfseg.evaluation.measures import VOID
from tfseg.files import damage_is_value_error
from tfseg.words import counted

ENDINGS = (".png", ".npy", ".bmp", ".tif", ".tiff", ".gif")
# How far the probabilities of a pixel may be from 1 in sum, by the bytes of a number.
_SUM_TOLERANCE = {2: 1e-2, 4: 1e-3, 8: 1e-3}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How prediction files are to be understood.

    Attributes:
        num_classes: C.
        ignore_label: a value in files for pixels without a class, which count as missed.
        values: {value in the files: class}, or None where values are classes. Values that lead to
            the ignore label are pixels without a class.
        colours: {(red, green, blue): class} of files of colours and palettes, or None.
        palette: the colours of the classes: those of files of colours where `colours` doesn't say,
            and what a palette PNG is compared with; or None.
        resize: whether predictions of another size are brought to their labels' one.
    """

    num_classes: int
    ignore_label: int = 255
    values: Mapping[int, int] | None = None
    colours: Mapping[tuple[int, int, int], int] | None = None
    palette: Sequence[Sequence[int]] | None = None
    resize: bool = False

    @functools.cached_property
    def table(self) -> np.ndarray:
        """The class of each value, int16 [256]: `VOID` for none, -1 for what isn't allowed."""
        table = np.full(256, -1, np.int16)
        if self.values is None:
            table[: self.num_classes] = range(self.num_classes)
        for value, target in (self.values or {}).items():
            table[value] = target if target < self.num_classes else VOID
        if table[self.ignore_label] < 0:
            table[self.ignore_label] = VOID
        return table


def find_predictions(folder: str, image_list: ImageList) -> tuple[list[str | None], list[str]]:
    """The prediction of each image, matched by name.

    A prediction is called like its image or its label map, up to the extension: with the same
    folders, or in one folder. Endings that all of them have in common (`_pred`, `_leftImg8bit`, …)
    don't matter.

    Args:
        folder: with files of `ENDINGS`, also in folders below.
        image_list: with labels.

    Returns:
        A path for each image, None where there is none, and one line for each that is missing or
        can't be decided.

    Raises:
        TfsegError: no such folder, no files in it, or none that belongs to any image.
    """
    if not os.path.isdir(folder):
        raise TfsegError(f"there is no folder {folder}")
    files = collections.defaultdict(list)
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                path = os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
                files[os.path.splitext(path)[0]].append(os.path.join(parent, name))
    if not files:
        raise TfsegError(f"{folder} has no predictions: files ending in {', '.join(ENDINGS)}")
    best = max(_keys(image_list), key=lambda keys: _count(keys, files))
    if not _count(best, files):
        files = _by_last_part(files)
        best = max(_keys(image_list), key=lambda keys: _count(keys, files))
    ending = ""
    if not _count(best, files):
        best, ending = max(
            ((keys, end) for keys in _keys(image_list) for end in _endings(keys, files)),
            key=lambda pair: _count([key + pair[1] for key in pair[0]], files),
            default=(best, ""),
        )
    found, errors = [], []
    for key, name in zip(best, image_list.names, strict=True):
        paths = files.get(key + ending, [])
        found.append(paths[0] if len(paths) == 1 else None)
        if not paths:
            errors.append(f"image {name} has no prediction: {key}{ending}.png is not in {folder}")
        elif len(paths) > 1:
            errors.append(f"image {name} has several predictions: {', '.join(paths[:3])}")
    if len(errors) == len(found):
        raise TfsegError(
            f"no file in {folder} is called like an image: there is {next(iter(files))}, "
            f"wanted is {best[0]}"
        )
    return found, errors


def _keys(image_list):
    """What predictions may be called: lists of a name for each image."""
    stems = image_list.stems
    yield stems
    yield [stem.rpartition("/")[2] for stem in stems]
    if image_list.offsets is None:
        yield [os.path.splitext(os.path.basename(path))[0] for path in image_list.labels]


def _by_last_part(files):
    found = collections.defaultdict(list)
    for stem, paths in files.items():
        found[stem.rpartition("/")[2]] += paths
    return found


def _count(keys, files):
    # Where one name would serve several images, names don't tell them apart.
    return sum(key in files for key in keys) if len(set(keys)) == len(keys) else 0


def _endings(keys, files):
    """What files have after the first name."""
    return {stem[len(keys[0]) :] for stem in files if stem.startswith(keys[0])}


def read_prediction(
    path: str, size: tuple[int, int], rule: Reading
) -> tuple[np.ndarray, np.ndarray | None]:
    """The label map, and where the file has them the probabilities, of a prediction.

    Args:
        path: PNG (or BMP, TIFF, GIF) of indices, of a palette, or of colours; .npy of integers
            [H, W], or of probabilities [H, W, C] or [C, H, W].
        size: (height, width) of the labels.
        rule: a `Reading`.

    Returns:
        uint8 [H, W], classes, and 255 for none; float32 [H, W, C] or None.

    Raises:
        TfsegError: one line on what is wrong: not read, another size, a value out of range, a
            palette that means others, probabilities that don't sum to 1.
    """
    probabilities = None
    if path.lower().endswith(".npy"):
        values = _read_array(path)
        if values.dtype.kind == "f":
            probabilities = _checked_probabilities(path, values, rule)
            labels = probabilities.argmax(-1).astype(np.uint8)
        else:
            labels = _classes(path, values, rule)
    else:
        labels = _read_picture(path, rule)
    if labels.shape != tuple(size):
        (height, width), (rows, columns) = size, labels.shape
        if not rule.resize:
            raise TfsegError(
                f"prediction {path} is {columns}x{rows}, but its labels are {width}x{height}; "
                "`resize` brings it to that"
            )
        # Each output cell takes the value at its centre, as everywhere in tfseg.
        down, across = (
            (2 * np.arange(target) + 1) * source // (2 * target)
            for target, source in zip(size, labels.shape, strict=True)
        )
        labels = labels[down[:, None], across]
        probabilities = None if probabilities is None else probabilities[down[:, None], across]
    return labels, probabilities


def _read_array(path):
    try:
        with damage_is_value_error():
            values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TfsegError(f"prediction {path} can't be read: {error}") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "buif":
        raise TfsegError(f"prediction {path} is no array of numbers")
    return values


def _checked_probabilities(path, values, rule):
    classes = rule.num_classes
    if values.ndim != 3 or classes not in (values.shape[0], values.shape[-1]):
        raise TfsegError(
            f"prediction {path} has floats of the shape {list(values.shape)}; probabilities of "
            f"{counted(classes, 'class')} have [H, W, {classes}] or [{classes}, H, W]"
        )
    if values.shape[-1] != classes:
        values = np.moveaxis(values, 0, -1)
    tolerance = _SUM_TOLERANCE.get(values.dtype.itemsize, 1e-3)
    values = values.astype(np.float32)
    sums = values.sum(-1)
    # Also nan is not within.
    wrong = ~(np.abs(sums - 1) <= tolerance) | (values < 0).any(-1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        low = values[row, column].min()
        text = f"sum to {sums[row, column]:.4g}" if not low < 0 else f"have {low:.4g} among them"
        raise TfsegError(
            f"prediction {path}: the values of {counted(wrong.sum(), 'pixel')} are no "
            f"probabilities; those of row {row}, column {column} {text}"
        )
    return values


def _classes(path, values, rule):
    """Classes of integers [H, W], checked."""
    if values.ndim != 2:
        raise TfsegError(f"prediction {path} has the shape {list(values.shape)}; labels are [H, W]")
    values = values.astype(np.int64) if values.dtype != np.uint8 else values
    beyond = (values < 0) | (values > 255) if values.dtype != np.uint8 else None
    if beyond is not None and beyond.any():
        raise _wrong_value(path, values, beyond, rule)
    labels = rule.table[values]
    if (labels < 0).any():
        raise _wrong_value(path, values, labels < 0, rule)
    return labels.astype(np.uint8)


def _wrong_value(path, values, wrong, rule):
    value = values[wrong][0]
    allowed = np.flatnonzero((rule.table >= 0) & (rule.table != VOID)).tolist()
    text = f"{allowed[0]}..{allowed[-1]}"
    if allowed != list(range(allowed[0], allowed[-1] + 1)):
        text = (
            ", ".join(map(str, allowed)) if len(allowed) <= 12 else counted(len(allowed), "value")
        )
    return TfsegError(
        f"prediction {path} has the value {value} in {counted((values == value).sum(), 'pixel')}; "
        f"allowed are {text} and {rule.ignore_label} for no class"
    )


def _read_picture(path, rule):
    with reading(path, "prediction"), opened(path) as file, Image.open(file) as image:
        if image.format in ("JPEG", "WEBP"):
            raise TfsegError(
                f"prediction {path} is a {image.format} file: its values are not exact"
            )
        if image.mode == "P" and rule.colours is None:
            values = np.asarray(image)
            _check_palette(path, values, image.getpalette() or [], rule)
            return _classes(path, values, rule)
        if image.mode in ("1", "L", "I", "I;16", "I;16B"):
            values = np.asarray(image)
            return _classes(path, values.astype(np.uint8) if image.mode == "1" else values, rule)
        pixels = rgb_array(image)
    colours = rule.colours
    if colours is None and rule.palette:
        colours = {tuple(colour): index for index, colour in enumerate(rule.palette)}
    if not colours:
        raise TfsegError(
            f"prediction {path} has colours: a table of them is needed, as `color_map` or as the "
            "palette of info.json"
        )
    return _from_colours(path, pixels, colours, rule)


def _check_palette(path, values, palette, rule):
    """Whether a palette paints classes in the colours of others."""
    known = collections.defaultdict(list)
    for index, colour in enumerate(rule.palette or ()):
        known[tuple(colour)].append(index)
    for value in np.unique(values).tolist():
        colour = tuple(palette[3 * value : 3 * value + 3])
        index, meant = rule.table[value], known.get(colour, [])
        if meant and 0 <= index != VOID and index not in meant:
            raise TfsegError(
                f"prediction {path} paints the value {value} in {colour}, the colour of class "
                f"{meant[0]}: its palette is in another order; give its colours as `color_map`"
            )


def _from_colours(path, pixels, colours, rule):
    """Classes of colours, each looked up once."""
    codes = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found, places = np.unique(codes, return_inverse=True)
    table = {(r << 16) + (g << 8) + b: index for (r, g, b), index in colours.items()}
    classes = np.array([table.get(code, -1) for code in found.tolist()])
    if (classes < 0).any():
        code = int(found[classes < 0][0])
        raise TfsegError(
            f"prediction {path} has the colour {(code >> 16, code >> 8 & 255, code & 255)} in "
            f"{counted((codes == code).sum(), 'pixel')}, which is no class's; there are "
            f"{counted(len(table), 'colour')}"
        )
    classes = np.where(classes < rule.num_classes, classes, VOID)
    return classes.astype(np.uint8)[places.reshape(codes.shape)]
