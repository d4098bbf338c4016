"""The table of transforms: what training does to a sample after it has been cut from its image."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from tfseg.errors import TfsegError
from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformRow(Row):
    """A transform: `code` is a graph function (image, label, key, strength) -> (image, label).

    Images are float32 [h, w, channels] in 0..255, on which the data's `value_range` is laid. Labels
    are int32 [h, w], in classification a class. All randomness is a function of the key, int64 [2],
    which belongs to seed, epoch, file and transform; so it doesn't matter which others there are,
    nor on what device a sample is made.

    Attributes:
        strength: the number that users give after the name, unless they leave it out; None for a
            function without one.
        limit: the largest; all are above 0.
        keeps_geometry: whether every pixel stays where it is and shows what its label says. Others
            are for crops alone: they need samples of one shape.
        needs_partner: whether `code` also takes `partner`, a function () -> (image, label) that
            makes another sample of the epoch. Images then have one more channel: what share of a
            pixel lies within the photograph.
        channels: how many it is for, or None for any.
        classifies: whether it is for classification too.
    """

    strength: float | None
    limit: float = 1.0
    keeps_geometry: bool = True
    needs_partner: bool = False
    channels: int | None = None
    classifies: bool = True


_PHOTOMETRIC = "tfseg.data.augment.photometric"


def _row_of(name: str, transform: Any) -> TransformRow:
    if not callable(transform):
        raise TypeError("`transforms` must be names, TransformRows, or functions")
    return TransformRow(name=name, code=transform, strength=None)


TRANSFORMS = Table(
    "transform",
    [
        TransformRow(
            name="color_jitter",
            code=f"{_PHOTOMETRIC}:color_jitter",
            help="brightness, contrast and saturation times factors in 1 -/+ this",
            strength=0.4,
            channels=3,
            classifies=False,  # Classifiers have a setting of this name.
        ),
        TransformRow(
            name="grey",
            code=f"{_PHOTOMETRIC}:grey",
            help="this share of the images without colour",
            strength=0.1,
            channels=3,
        ),
        TransformRow(
            name="blur",
            code=f"{_PHOTOMETRIC}:blur",
            help="this share of the images smoothed, by sigmas up to 2 pixels",
            strength=0.5,
        ),
        TransformRow(
            name="gamma",
            code=f"{_PHOTOMETRIC}:gamma",
            help="values to a power of up to exp(this), or of one over that",
            strength=0.3,
        ),
        TransformRow(
            name="noise",
            code=f"{_PHOTOMETRIC}:noise",
            help="Gaussian, of deviations up to this, in units of 0..255",
            strength=10.0,
            limit=255.0,
        ),
        TransformRow(
            name="erase",
            code=f"{_PHOTOMETRIC}:erase",
            help="noise in place of a rectangle in this share of the images",
            strength=0.25,
        ),
        TransformRow(
            name="cutmix",
            code="tfseg.data.augment.mixing:cutmix",
            help="a rectangle of another sample in this share of the crops",
            strength=0.5,
            keeps_geometry=False,
            needs_partner=True,
            classifies=False,
        ),
    ],
    _row_of,
)


def parse_transforms(transforms: Any) -> tuple[tuple[TransformRow, float | None], ...]:
    """((row, strength), …) of "color_jitter:0.4,blur"; nothing of an empty text.

    Args:
        transforms: such a text; a function of image, label and key, or a `TransformRow`; or a list
            of names and these, each alone or as a pair with its strength.

    Raises:
        TfsegError: an unknown name, one that comes twice, or a strength out of its range.
    """
    found = []
    empty = isinstance(transforms, str) and not transforms.strip()
    for row, strength in () if empty else TRANSFORMS.parse(transforms):
        strength = row.strength if strength is None else strength
        if strength is not None and not 0 < strength <= row.limit:
            raise TfsegError(
                f"transforms: the number of {row.name} must be above 0 and at most {row.limit:g}, "
                f"not {strength:g}"
            )
        found.append((row, strength))
    return tuple(found)


def load_transforms(transforms: Any) -> list[tuple[TransformRow, Callable]]:
    """[(row, function without its strength)] of what `parse_transforms` takes.

    Raises:
        TfsegError: a function takes other arguments than it is given.
    """
    found = []
    for row, strength in parse_transforms(transforms):
        code = row.load()
        given = code if strength is None else functools.partial(code, strength=strength)
        keywords = {"strength": strength is not None, "partner": row.needs_partner}
        names = ["image", "label", "key", *(name for name, there in keywords.items() if there)]
        try:
            inspect.signature(code).bind(*names[:3], **dict.fromkeys(names[3:]))
        except TypeError as error:
            raise TfsegError(
                f"transforms: {row.name} is called with {', '.join(names)}: {error}"
            ) from error
        found.append((row, given))
    return found
