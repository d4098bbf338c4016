"""The table of import formats: what other programs write, and how each is recognised."""

import dataclasses
from typing import Any

from tfseg.data.catalog import DATASETS
from tfseg.errors import TfsegError, unknown
from tfseg.tables import Row, Table
from tfseg.words import counted

_FORMATS = "tfseg.data.prepare.formats"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportFormat(Row):
    """A format.

    Attributes:
        code: a function (`Tree`, `Options`) -> `Found`.
        sign: a function of a `Tree` that says in words by what it is recognised, or None.
        unlabelled: what becomes of images without labels unless the user says it: a key of
            `UNLABELLED`.
        on_top: what lies on top where objects meet: a key of `raster.OVERLAPS`; None for masks.
        takes: the arguments of `prepare` that mean something with it, besides those of all.
    """

    sign: Any
    unlabelled: str = "skip"
    on_top: str | None = None
    takes: tuple[str, ...] = ()

    def recognise(self, tree) -> str | None:
        """In words, why a source is of this format; None where it isn't."""
        return Row(name=self.name, code=self.sign).load()(tree)


_MASKS = ("label_map", "color_map", "in_place")

# What becomes of images without labels.
UNLABELLED = {
    "skip": "they are left out",
    "background": "they show nothing: all of them is background",
    "error": "they are an error",
}


def _row(name, module, help, sign="recognise", **facts):
    code = f"{_FORMATS}.{module}"
    return ImportFormat(name=name, code=f"{code}:read", sign=f"{code}:{sign}", help=help, **facts)


# The first that recognises a source counts, so the more particular come first.
IMPORT_FORMATS = Table(
    "format",
    [
        _row(
            *("coco", "coco", "COCO's JSON: instances, stuff, panoptic"),
            unlabelled="background",
            on_top="smaller",
            takes=("on_top",),
        ),
        _row(
            *("label_studio", "label_studio", "Label Studio's JSON or brush masks"),
            on_top="later",
            takes=("on_top",),
        ),
        _row(
            *("labelme", "labelme", "LabelMe's JSON beside each image"),
            on_top="later",
            takes=("on_top",),
        ),
        _row(
            *("cvat", "voc", "CVAT's segmentation masks with labelmap.txt", "recognise_cvat"),
            takes=_MASKS,
        ),
        _row("roboflow", "roboflow", "Roboflow's masks with _classes.csv", takes=_MASKS),
        _row("voc", "voc", "PASCAL VOC's folders and lists", takes=_MASKS),
        _row("lists", "lists", "a data folder with lists of its own", takes=_MASKS),
        _row(
            *("yolo", "yolo", "YOLO's polygons in text files"),
            unlabelled="background",
            on_top="later",
            takes=("on_top",),
        ),
        _row(
            *("folder", "folder", "images and masks whose names match"),
            takes=(*_MASKS, "images", "labels"),
        ),
    ],
)


def recognise(tree):
    """(row, why) of what a source is: a row of `DATASETS` or of `IMPORT_FORMATS`.

    Raises:
        TfsegError: it is nothing known.
    """
    for row in DATASETS.values():
        if row.signs and tree.only is None and all(tree.matching(sign) for sign in row.signs):
            return row, f"{tree.matching(row.signs[-1])[0]}, a name as in its release"
    for row in IMPORT_FORMATS.values():
        if why := row.recognise(tree):
            return row, why
    raise TfsegError(
        f"{tree.root} has no images and none of the formats {', '.join(IMPORT_FORMATS)}; "
        f"it has {counted(len(tree.files), 'file')} such as {tree.files[0]}"
    )


def find(name):
    """The row of a name among `DATASETS` and `IMPORT_FORMATS`.

    Raises:
        TfsegError: there is none.
    """
    if name in DATASETS:
        return DATASETS[name]
    if name in IMPORT_FORMATS:
        return IMPORT_FORMATS[name]
    raise unknown("format", name, [*IMPORT_FORMATS, *DATASETS])
