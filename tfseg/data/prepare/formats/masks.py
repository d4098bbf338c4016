"""What the values and colours of masks mean."""

import dataclasses

import numpy as np

from tfseg.data.catalog import Dataset
from tfseg.data.prepare.formats import colours
from tfseg.data.prepare.formats.found import Found
from tfseg.data.prepare.formats.survey import Survey
from tfseg.data.prepare.formats.values import read_palette, read_values
from tfseg.errors import TfsegError
from tfseg.words import counted

_BINARY = ("background", "object")


@dataclasses.dataclass(frozen=True)
class Reading:
    """How masks become class indices.

    Attributes:
        dataset: names and colours of the classes, as info.json gets them.
        table: {value: class or 255} of masks with one channel; None for `colour_table`.
        colour_table: {(r, g, b): class or 255}.
        threshold: values from 128 on are class 1.
        lossy: near colours are one.
        identity: whether 8-bit masks can stay as they are.
        notes: what was taken for what, a sentence each.
        made_table: whether `colour_table` was counted from the masks.
    """

    dataset: Dataset
    table: dict | None = None
    colour_table: dict | None = None
    threshold: bool = False
    lossy: bool = False
    identity: bool = False
    notes: tuple = ()
    made_table: bool = False

    def read(self, path):
        """The class indices of a mask, uint8 [H, W]; 255 is ignored.

        Raises:
            TfsegError: it can't be read, or has a value that has no meaning.
        """
        return self.indices(read_values(path), path)

    def indices(self, values, path):
        """The same of values that were read already, or of a piece of them."""
        if self.colour_table is not None:
            return colours.nearest(_coloured(values, path), self.colour_table, self.lossy)
        if values.ndim == 3:
            raise TfsegError(f"mask {path} is coloured, where others hold values")
        if self.threshold:
            return (values >= 128).astype(np.uint8)
        known = np.array(sorted(self.table))
        indices = np.array([self.table[value] for value in known.tolist()], np.uint8)
        places = np.minimum(np.searchsorted(known, values), len(known) - 1)
        if (known[places] != values).any():
            wrong = values[known[places] != values]
            raise TfsegError(
                f"mask {path} has the value {wrong[0]} in "
                f"{counted(np.sum(wrong == wrong[0]), 'pixel')}, "
                "which has no meaning here"
            )
        return indices[places]


def _coloured(values, path):
    """A mask's colours, uint8 [H, W, 3]: those of its palette, or greys."""
    if values.ndim == 3:
        return values
    palette = read_palette(path)
    if palette is None:
        return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, -1)
    table = np.zeros((256, 3), np.uint8)
    for index, colour in palette.items():
        table[index] = colour
    return table[values]


def interpret(seen: Survey, found: Found, title: str) -> Reading:
    """What masks mean, by what the source says and what they hold.

    Args:
        seen: `Survey` of them.
        found: what the source says: its classes, `color_map` or `label_map`.
        title: what messages call the source.

    Raises:
        TfsegError: a value or colour has no meaning; the message names a file that has it.
    """
    names, by_colour = found.classes, bool(seen.colours)
    merged = _merged_palette(seen.palettes)
    if found.label_map is not None:
        return _by_values(seen, found, title)
    if not by_colour and merged is None:
        table = found.color_map or _painted(found, seen.palettes)
        note = "palettes of the masks disagree: their colours were taken, not their values"
        return _by_colour(seen, found, table, title, (note,))
    if found.color_map is not None and (by_colour or merged):
        return _by_colour(seen, found, found.color_map, title, ())
    if by_colour:
        table = None
        if names and found.palette:
            table = {tuple(colour): k for k, colour in enumerate(found.palette[: len(names)])}
        return _by_colour(seen, found, table, title, ())
    if _is_binary(seen, names):
        return _binary(seen, found, title)
    return _indices(seen, found, title, merged)


def _merged_palette(palettes):
    """{index: colour} of all palettes; {} without any, None where they disagree."""
    merged = {}
    for palette in palettes:
        for index, colour in palette or ():
            if colour is not None and merged.setdefault(index, colour) != colour:
                return None
    return merged


def _painted(found, palettes):
    """{colour: class} where the palettes disagree: the source's own, or the colours in order."""
    if found.palette and found.classes:
        return {tuple(c): k for k, c in enumerate(found.palette[: len(found.classes)])}
    seen = dict.fromkeys(colour for palette in palettes for _, colour in palette or ())
    return {colour: k for k, colour in enumerate(seen)}


def _unnamed(names, by_table=False):
    """The note that nothing names the classes.

    Args:
        names: what they are called.
        by_table: whether it takes a table of their colours to name them.
    """
    called = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    how = "name them with `classes`, in this order"
    if by_table:
        how = "name them in the data folder's colours.csv, and give it as `color_map`"
    return f"nothing names the classes, so they are called {called}: {how}"


def _is_binary(seen, names):
    if names and len(names) > 2:
        return False
    values, total = seen.values, sum(seen.values.values())
    if set(values) <= {0, 255}:
        return 255 in values
    if min(values) < 0 or max(values) > 255 or max(values) < 160:
        return False
    ends = sum(count for value, count in values.items() if value <= 32 or value >= 223)
    # Values beside the ends are compression or antialiasing only if there are many of them.
    return ends >= 0.9 * total and (seen.lossy or len(values) > 8)


def _binary(seen, found, title):
    names = found.classes or _BINARY
    names = (_BINARY[0], *names) if len(names) == 1 else names
    between = 1 - sum(seen.values[end] for end in (0, 255)) / sum(seen.values.values())
    notes = [f"masks of 0 and 255: 0 is class 0 ({names[0]}), 255 is class 1 ({names[1]})"]
    if between:
        notes[0] += (
            f"; {between:.2%} of the pixels lie between, and count as what they are nearer to"
        )
    if not found.classes:
        notes.append(_unnamed(names))
    dataset = Dataset(title, tuple(names), found.palette or ((0, 0, 0), (255, 255, 255)))
    return Reading(dataset, threshold=True, notes=tuple(notes))


def _by_values(seen, found, title):
    """A `label_map` that the user, or an info.json, gives."""
    table = dict(found.label_map)
    table.setdefault(found.ignore_label, 255)
    _require_known(seen, table, f"label_map has {', '.join(map(str, sorted(table)[:12]))}")
    count = max((index for index in table.values() if index != 255), default=0) + 1
    names = found.classes or tuple(f"class {k}" for k in range(count))
    notes = () if found.classes else (_unnamed(names),)
    table = {value: 255 if index == found.ignore_label else index for value, index in table.items()}
    return Reading(Dataset(title, tuple(names), found.palette), table=table, notes=notes)


def _require_known(seen, table, allowed):
    for value in sorted(seen.values):
        if value not in table:
            raise TfsegError(
                f"mask {seen.where[value]} has the value {value}; {allowed}; `label_map` says what "
                "others mean"
            )


def _indices(seen, found, title, palette):
    """Values that are classes, in order or with gaps."""
    names, ignored = found.classes, found.ignore_label
    plain = sorted(set(seen.values) - {ignored})
    if seen.values and min(seen.values) < 0:
        raise TfsegError(f"mask {seen.where[min(seen.values)]} has the value {min(seen.values)}")
    if len(plain) > 256:
        raise TfsegError(
            f"the masks of {title} have {counted(len(plain), 'different value')}, which are too "
            "many for classes: are they photographs, or numbers of objects?"
        )
    lossy = "; some masks were compressed with loss, which changes values" if seen.lossy else ""
    top, notes = plain[-1] if plain else 0, []
    count = len(names) if names else 0
    if names and top < count:
        table = {k: k for k in range(count)}
    elif names and plain and plain[0] >= 1 and top == count:
        table = {k + 1: k for k in range(count)}
        notes.append(f"values are 1 to {count}: class k is the value k + 1")
    elif names:
        raise TfsegError(
            f"mask {seen.where[top]} has the value {top}, but there are {counted(count, 'class')} "
            "(0.."
            f"{count - 1}, and {ignored} for none); `label_map` says what others mean{lossy}"
        )
    elif plain and plain[0] == 1 and top <= 2 * len(plain) + 8:
        table = {k + 1: k for k in range(top)}
        notes.append(f"no mask has the value 0: the classes are the values 1 to {top}")
    elif top <= 2 * len(plain) + 8:
        table = {k: k for k in range(top + 1)}
    else:
        # Levels of grey, where 255 is one like the others.
        plain = sorted(seen.values)
        table = {value: k for k, value in enumerate(plain)}
        names = tuple(f"value {value}" for value in plain)
        shown = ", ".join(map(str, plain[:12])) + (" …" if len(plain) > 12 else "")
        notes.append(f"the values {shown} are classes 0 to {len(plain) - 1}, in their order")
        notes.append(_unnamed(names))
    if not names:
        count = max(table.values()) + 1
        names = _BINARY if count == 2 else tuple(f"class {k}" for k in range(count))
        notes.append(_unnamed(names))
    identity = all(value == index for value, index in table.items())
    if ignored in seen.values and ignored not in table:
        share = seen.values[ignored] / sum(seen.values.values())
        notes.append(f"the value {ignored} is ignored: {share:.2%} of the pixels")
    table.setdefault(ignored, 255)
    used = found.palette
    if used is None and palette and all(value in palette for value in plain):
        by_class = {table[value]: palette.get(value, (0, 0, 0)) for value in table}
        used = tuple(by_class.get(k, (0, 0, 0)) for k in range(len(names)))
    return Reading(
        Dataset(title, tuple(names), used), table=table, identity=identity, notes=tuple(notes)
    )


def _by_colour(seen, found, table, title, notes):
    """Colours that are classes: by a table, or counted."""
    pixels = dict(seen.colours)
    for value, count in seen.values.items():
        # What is grey throughout, such as a mask without objects, or of a palette.
        if not any(seen.palettes) and 0 <= value <= 255:
            code = value * 0x010101
            pixels[code] = pixels.get(code, 0) + np.array([count, count])
    made = table is None
    if made:
        chosen = colours.classes_of(pixels, seen.lossy)
        table = {colour: k for k, colour in enumerate(chosen)}
        notes = (*notes, f"the classes are {counted(len(chosen), 'colour')} of the masks")
    known = np.array(list(table), np.int64)
    other, total = 0, sum(int(count[0]) for count in pixels.values())
    for code, (count, solid) in pixels.items():
        far = int(np.abs(known - colours.colours_of(code)).max(-1).min())
        if far <= (colours.LOSSY if seen.lossy else colours.EXACT):
            continue
        other += int(count)
        if not made and not seen.lossy and solid > 0.5 * count and count > 1e-3 * total:
            colour = tuple(colours.colours_of(code).tolist())
            file = seen.where.get(("colour", code), title)
            raise TfsegError(f"mask {file} has the colour {colour}, which no class has")
    if other:
        share = other / total
        notes = (*notes, f"edges between colours are ignored: {share:.2%} of the pixels")
    names, palette = found.classes, found.palette
    if not names:
        names = tuple(
            "background" if not any(colour) else f"class {k}" for colour, k in table.items()
        )
        names = _BINARY if names == ("background", "class 1") else names
        notes = (*notes, _unnamed(names, by_table=made and len(names) > 2))
    elif made and (len(names) != len(table) or len(names) > 2):
        raise TfsegError(
            f"the masks of {title} have {counted(len(table), 'colour')}, and nothing says which of "
            "them is which class: leave out `classes`, name them in the table that is written "
            "then, and give that as `color_map`"
        )
    if palette is None:
        shown = {index: colour for colour, index in reversed(table.items()) if index != 255}
        palette = tuple(shown.get(k, (0, 0, 0)) for k in range(len(names)))
    return Reading(
        Dataset(title, tuple(names), palette),
        colour_table=table,
        lossy=seen.lossy,
        notes=notes,
        made_table=made,
    )
