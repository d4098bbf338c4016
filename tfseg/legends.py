"""Legends of pictures: the colours and names of the classes that occur, beside what is shown."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfseg.visualize import class_names, fit

Palette = Sequence[Sequence[int]]
# The name and colour of a class.
Entry = tuple[str, tuple[int, ...]]
# What lies between two entries, in heights of a letter.
_SPACE = 1.2


def occurring(maps: Iterable[Any], classes: Sequence[str] | None, palette: Palette) -> list[Entry]:
    """The classes that occur in label maps, those of the most pixels first.

    Args:
        maps: label maps, integers 0..255 of any shapes.
        classes: class names, or None.
        palette: [red, green, blue] per class; labels beyond it have no entry.

    Returns:
        A list of (name, colour).
    """
    counts = np.zeros(len(palette), np.int64)
    for one in maps:
        counts += np.bincount(np.ravel(one), minlength=256)[: len(palette)]
    names = class_names(classes, len(palette))
    order = np.argsort(-counts, kind="stable")
    return [(names[index], tuple(palette[index])) for index in order if counts[index]]


def below(
    picture: Any, maps: Iterable[Any], classes: Sequence[str] | None, palette: Palette
) -> Any:
    """A picture with the legend of what it shows under it.

    Args:
        picture: uint8 RGB [H, W, 3].
        maps, classes, palette: as for `occurring`.

    Returns:
        uint8 [H', W', 3], the picture in its upper left corner. It is wider than the picture where
        that is narrower than an entry.
    """
    height, width = picture.shape[:2]
    size = min(max(min(width // 48, height // 20), 12), 28)
    font, entries = ImageFont.load_default(size), occurring(maps, classes, palette)
    places, left, top, right = [], size / 2, size / 2, width
    for name, _ in entries:
        length = _length(name, font, size)
        if left + length > width and left > size / 2:
            left, top = size / 2, top + 1.5 * size
        places.append((left, top))
        right = max(right, left + length)
        left += length + _SPACE * size
    canvas = Image.new("RGB", (round(right), height + round(top + 1.5 * size)), "white")
    canvas.paste(Image.fromarray(picture))
    draw = ImageDraw.Draw(canvas)
    for (left, top), (name, colour) in zip(places, entries, strict=True):
        _entry(draw, left, height + top, size, colour, name, font)
    return np.asarray(canvas)


class Places:
    """The legend of a video's frames: a strip of one size, in which a class has one place.

    Each frame names the classes that occur in it alone. Where there are more classes than places,
    a class takes that of the one that was seen longest ago.

    Args:
        shape: (height, width) of the frames; the strip is as wide, and takes up to a quarter of
            the height.
        classes: class names, or None.
        palette: [red, green, blue] per class.
    """

    def __init__(self, shape: Sequence[int], classes: Sequence[str] | None, palette: Palette):
        height, width = shape
        self.palette = palette
        self.names = class_names(classes, len(palette))
        size = min(max(height // 30, 12), 28)
        self._size, self._font = size, ImageFont.load_default(size)
        longest = max(_length(name, self._font, size) for name in self.names) + _SPACE * size
        columns = max(1, min(len(palette), int(width // longest)))
        row = round(1.5 * size)
        rows = max(1, min(-(-len(palette) // columns), height // 4 // row))
        # Codecs want even numbers.
        self.height = rows * row + size // 2 * 2 + (rows * row) % 2
        self._cell, self._columns, self._row = width // columns, columns, row
        self._width = width
        self._places: list[int | None] = [None] * min(rows * columns, len(palette))
        if len(self._places) == len(palette):
            self._places = list(range(len(palette)))
        self._seen = dict.fromkeys(range(len(palette)), -1)
        self._frame = 0

    def __call__(self, labels: Any) -> Any:
        """The strip of a frame, uint8 [height, width, 3], given its label map."""
        counts = np.bincount(np.ravel(labels), minlength=256)[: len(self.palette)]
        shown = set(np.flatnonzero(counts).tolist())
        self._frame += 1
        for index in sorted(shown, key=lambda index: -counts[index]):
            self._seen[index] = self._frame
            if index not in self._places:
                self._take(index, shown)
        canvas = Image.new("RGB", (self._width, self.height), "white")
        draw = ImageDraw.Draw(canvas)
        for place, taken in enumerate(self._places):
            if taken is not None and taken in shown:
                self._draw(draw, place, taken)
        return np.asarray(canvas)

    def _take(self, index: int, shown: Collection[int]) -> None:
        """Gives a class the place that is free or unused for longest, unless all are shown."""
        ages = [-1 if one is None else self._seen[one] for one in self._places]
        place = int(np.argmin(ages))
        if self._places[place] not in shown:
            self._places[place] = index

    def _draw(self, draw: Any, place: int, index: int) -> None:
        row, column = divmod(place, self._columns)
        size = self._size
        left, top = column * self._cell + size / 2, row * self._row + size / 2
        name = fit(self.names[index], self._font, self._cell - 2 * size)
        _entry(draw, left, top, size, tuple(self.palette[index]), name, self._font)


def _length(name: str, font: Any, size: int) -> float:
    return 1.4 * size + font.getlength(name)


def _entry(
    draw: Any, left: float, top: float, size: int, colour: Sequence[int], name: str, font: Any
) -> None:
    draw.rectangle((left, top, left + size, top + size), colour, (128, 128, 128))
    draw.text((left + 1.4 * size, top + size / 2), name, "black", font, anchor="lm")
