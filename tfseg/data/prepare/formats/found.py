"""What a source turned out to hold, before any of it is written."""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfseg.data.info import require_distinct
from tfseg.errors import TfsegError
from tfseg.words import counted

# What the place is called where nothing is.
_BACKGROUND = ("background", "bg", "void background", "unlabeled background")


@dataclasses.dataclass(frozen=True)
class Item:
    """An image with what says its labels.

    Attributes:
        image: its path.
        name: what its copy is called after: its path within the source.
        label: the path of a mask; or a function of (width, height) to class indices, uint8 [height,
            width], which raises `TfsegError`; None without any.
        split: that it belongs to, or None.
        window: (top, bottom, left, right) of the image, where it is a tile of it.
    """

    image: str
    name: str
    label: str | Callable[[tuple], np.ndarray] | None
    split: str | None = None
    window: tuple[int, int, int, int] | None = None


@dataclasses.dataclass
class Found:
    """The content of a source.

    Attributes:
        items: the images.
        classes: their names, in index order, or None where the masks have to say.
        palette: a colour of each, or None.
        color_map: {(r, g, b) in the masks: class or 255}, or None.
        label_map: {value in the masks: class or 255}, or None.
        ignore_label: the masks' value that doesn't count, where no map says it.
        background: the class of what no label covers, or None where that isn't known.
        notes: what a person should know, a sentence each.
        skipped: (file, reason) of what was left out.
    """

    items: list
    classes: tuple | None = None
    palette: tuple | None = None
    color_map: dict | None = None
    label_map: dict | None = None
    ignore_label: int = 255
    background: int | None = None
    notes: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may say about a source.

    Attributes:
        images, labels: names of the subfolders of images and masks, or None.
        classes: names, in index order; () where the source has to say.
        on_top: which object lies on top where several meet: a key of `raster.OVERLAPS`; None for
            the format's own rule.
    """

    images: str | None = None
    labels: str | None = None
    classes: tuple = ()
    on_top: str | None = None


def named_by(origin, others=True):
    """The note that says where the classes' names are from, and how to give others.

    Args:
        origin: what names them: a file, or what there is in the source.
        others: whether the same classes can be given other names.
    """
    return f"class names are from {origin}" + ("; `classes` gives others" if others else "")


def plain(name):
    """A class's name without the underscores of "_background_"."""
    return name.strip().strip("_").strip() or name.strip()


def is_background(name):
    """Whether a class is what no object covers."""
    return plain(str(name)).lower() in _BACKGROUND


def with_background(names, title):
    """(names, class of the background): it becomes class 0 unless one is called so.

    Raises:
        TfsegError: two have one name, or there are more than 255.
    """
    names = [plain(name) for name in names]
    if not any(map(is_background, names)):
        names = ["background", *names]
    if len(names) > 255:
        raise TfsegError(
            f"{title} has {counted(len(names), 'class')}; label maps have room for 255"
        )
    try:
        require_distinct(names)
    except TfsegError as error:
        raise TfsegError(f"{title}: {error}") from error
    return tuple(names), next(k for k, name in enumerate(names) if is_background(name))
