"""Shapes as pixels: polygons, circles, lines, run lengths, and which of them lies on top."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tfseg.errors import TfsegError

# {name: what lies on top where objects meet}.
OVERLAPS = {
    "later": "the later of two objects lies on top",
    "earlier": "the earlier of two objects lies on top",
    "smaller": "the smaller of two objects lies on top",
}
# Sides and points of what files ask for; larger ones are refused before memory is taken.
MAX_SIDE = 1 << 16
MAX_PIXELS = 1 << 28
_FAR = 1e7


class Shape:
    """The pixels of an object: a boolean array and where its corner lies.

    Attributes:
        top, left: the corner.
        mask: bool [h, w].
    """

    def __init__(self, top, left, mask):
        self.top, self.left, self.mask = top, left, mask

    @property
    def area(self):
        """How many pixels it has."""
        return int(np.count_nonzero(self.mask))

    def on(self, labels):
        """The part of an array [H, W] that its rectangle covers."""
        height, width = self.mask.shape
        return labels[self.top : self.top + height, self.left : self.left + width]


def require_size(size, title):
    """Checks the (width, height) that a file states.

    Raises:
        TfsegError: they are no whole numbers above 0, or larger than any image that is read.
    """
    good = all(type(side) is int and 0 < side <= MAX_SIDE for side in size)
    if not good or size[0] * size[1] > MAX_PIXELS:
        raise TfsegError(f"{title}: no image is {size[0]!r:.20} wide and {size[1]!r:.20} high")
    return size


def points_of(values, title):
    """Points [[x, y], …], or the same in one row, as float64 [N, 2].

    Raises:
        TfsegError: they are no finite numbers, or one coordinate lacks its partner.
    """
    try:
        points = np.asarray(values, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise TfsegError(f"{title}: points must be pairs of numbers") from error
    if points.ndim == 1 and len(points) % 2 == 0:
        points = points.reshape(-1, 2)
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) < _FAR).all():
        raise TfsegError(f"{title}: points must be pairs of numbers")
    return points


def polygon(points, size):
    """The pixels whose centres lie within a polygon, by the even-odd rule, and on its edge.

    Args:
        points: float64 [N, 2] of (x, y), where pixel (0, 0) has its centre at 0, 0.
        size: (width, height) of the image.

    Returns:
        `Shape`.
    """
    return _drawn(points, 1, size, lambda draw, xy: draw.polygon(xy, fill=1, outline=1))


def circle(centre, edge, size):
    """A disc with its `centre` and a point of its edge, each (x, y)."""
    radius = math.dist(centre, edge)
    corners = np.array([np.subtract(centre, radius), np.add(centre, radius)])
    return _drawn(corners, 1, size, lambda draw, xy: draw.ellipse(xy, fill=1, outline=1))


def lines(points, size, width):
    """A line from point to point, `width` pixels wide."""
    return _drawn(points, width, size, lambda draw, xy: draw.line(xy, fill=1, width=width))


def _drawn(points, margin, size, draw):
    """What `draw` leaves in the part of the image that the points, and a margin, take."""
    low = np.clip(np.floor(points.min(0)) - margin, 0, size).astype(int)
    high = np.clip(np.ceil(points.max(0)) + margin + 1, 0, size).astype(int)
    width, height = (high - low).tolist()
    if width <= 0 or height <= 0:
        return Shape(0, 0, np.zeros((0, 0), bool))
    image = Image.new("1", (width, height))
    draw(ImageDraw.Draw(image), [tuple(point) for point in (points - low).tolist()])
    return Shape(int(low[1]), int(low[0]), np.array(image))


def union(shapes: Sequence[Shape], size, holes=False):
    """One shape of several.

    Args:
        holes: what lies wholly within those before it is cut out of them.
    """
    if len(shapes) == 1:
        return shapes[0]
    whole = np.zeros((size[1], size[0]), bool)
    # Largest first, as what holds others comes before what it holds.
    for shape in sorted(shapes, key=lambda shape: -shape.area) if holes else shapes:
        part = shape.on(whole)
        inside = holes and shape.area and not (shape.mask & ~part).any()
        part[shape.mask] = not inside
    return Shape(0, 0, whole)


def run_lengths(counts, size, title):
    """COCO's run-length encoding, column by column, as a `Shape`.

    Args:
        counts: lengths of runs of 0, 1, 0, … or their compressed text.
        size: (width, height) of the image.
        title: what messages call it.

    Raises:
        TfsegError: the runs don't fill the image.
    """
    pixels = size[0] * size[1]
    if isinstance(counts, str):
        counts = _decompressed(counts, title)
    runs = counts if isinstance(counts, list) else [None]
    good = all(type(run) is int and 0 <= run <= pixels for run in runs)
    if not good or sum(runs) != pixels:
        raise TfsegError(f"{title}: the run lengths don't fill an image of {size[0]}x{size[1]}")
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return Shape(0, 0, values.reshape(size[0], size[1]).T)


def _decompressed(text, title):
    """The lengths of COCO's text: six bits a letter, each number less the last but one."""
    counts, value, shift = [], 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise TfsegError(f"{title}: '{letter}' can't be in compressed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            if len(counts) > 2:
                value += counts[-2]
            counts.append(value)
            value = shift = 0
    if shift:
        raise TfsegError(f"{title}: compressed run lengths that end within a number")
    return counts


def paint(objects, size, background, on_top):
    """A label map of objects.

    Args:
        objects: (class, `Shape`) in the order of the file.
        size: (width, height).
        background: the value where no object is.
        on_top: a key of `OVERLAPS`.

    Returns:
        uint8 [height, width].
    """
    labels = np.full((size[1], size[0]), background, np.uint8)
    objects = list(objects)
    if on_top == "earlier":
        objects.reverse()
    elif on_top == "smaller":
        objects.sort(key=lambda one: -one[1].area)
    for value, shape in objects:
        shape.on(labels)[shape.mask] = value
    return labels
