"""LabelMe: a JSON file of shapes beside each image."""

import base64
import binascii
import functools
import os

import numpy as np

from tfseg.data.prepare.formats import class_files, raster
from tfseg.data.prepare.formats.found import (
    Found,
    Item,
    is_background,
    named_by,
    plain,
    with_background,
)
from tfseg.data.prepare.formats.tree import split_in
from tfseg.data.prepare.formats.values import read_values
from tfseg.errors import TfsegError
from tfseg.files import read_json

# What LabelMe draws lines and points with, in pixels.
_LINE_WIDTH, _POINT_RADIUS = 10, 5
_FEWEST = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "point": 1}


def recognise(tree):
    """JSON files with the entry "shapes"."""
    names = tree.ending(".json")
    for name in names[:5]:
        content = _json_or_none(tree, name)
        if isinstance(content, dict) and isinstance(content.get("shapes"), list):
            return f"{name}, which has shapes of one image"
    return None


def _json_or_none(tree, name):
    try:
        return tree.json(name)
    except TfsegError:
        return None


def read(tree, options):
    """The images that the JSON files name."""
    found, files, used = Found([]), [], {}
    for name in [tree.only] if tree.only else tree.ending(".json"):
        try:
            content = read_annotation(tree.path(name))
            image = tree.find_image(content["image"], os.path.dirname(name))
            if image is None:
                raise TfsegError(f"{tree.path(name)}: there is no image {content['image']}")
        except TfsegError as error:
            found.skipped.append((tree.path(name), str(error)))
            continue
        files.append((name, image, content))
        used.update(dict.fromkeys(shape["label"] for shape in content["shapes"]))
    file, listed = class_files.names(tree)
    names = (
        list(options.classes)
        or listed
        or sorted(label for label in used if not is_background(label))
    )
    if not options.classes:
        found.notes.append(named_by(file if listed else "the labels of the shapes", others=False))
    names = [name for name in names if plain(name).lower() not in class_files.IGNORED]
    found.classes, found.background = with_background(names, tree.root)
    indices = {name.lower(): index for index, name in enumerate(found.classes)}
    indices |= dict.fromkeys(class_files.IGNORED, 255)
    unknown = sorted(label for label in used if plain(label).lower() not in indices)
    if unknown:
        raise TfsegError(
            f"{tree.root} has shapes of '{unknown[0]}', which is none of the classes "
            f"{', '.join(found.classes)}"
        )
    for name, image, content in files:
        draw = functools.partial(
            draw_annotation,
            content,
            {label: indices[plain(label).lower()] for label in used},
            found.background,
            options.on_top,
        )
        found.items.append(Item(tree.path(image), image, draw, split_in(name)))
    seen = {image for _, image, _ in files}
    folders = {os.path.dirname(name) for name, _, _ in files}
    found.items += [
        Item(tree.path(name), name, None, split_in(name))
        for name in tree.pictures
        if name not in seen and os.path.dirname(name) in folders
    ]
    return found


def read_annotation(path):
    """What of a JSON file is needed: {"path", "image", "size": (width, height) or None, "shapes"}.

    Raises:
        TfsegError: it is no file of LabelMe's.
    """
    content = read_json(path)
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise TfsegError(f"{path} has no list of shapes")
    image = content.get("imagePath")
    if not isinstance(image, str) or not image:
        raise TfsegError(f"{path} has no imagePath")
    size = (content.get("imageWidth"), content.get("imageHeight"))
    size = None if size == (None, None) else raster.require_size(size, path)
    kept = []
    for number, shape in enumerate(shapes):
        title = f"{path}, shape {number}"
        if not isinstance(shape.get("label"), str) or not shape["label"].strip():
            raise TfsegError(f"{title} has no label")
        kind = shape.get("shape_type") or "polygon"
        points = raster.points_of(shape.get("points") or [], title)
        if kind not in (*_FEWEST, "mask"):
            raise TfsegError(f"{title} is a {kind!r:.40}, which is none of {', '.join(_FEWEST)}")
        group = shape.get("group_id")
        kept.append(
            {
                "label": shape["label"],
                "kind": kind,
                "points": points,
                "group": group if isinstance(group, int | str) else None,
                "mask": shape.get("mask"),
            }
        )
    return {"path": path, "image": image, "size": size, "shapes": kept}


def draw_annotation(content, indices, background, on_top, size):
    """The label map of an annotation; `size` is the image's (width, height).

    Shapes of one label and one group are one object, in which those within others are holes.

    Raises:
        TfsegError: the file was made for an image of another size.
    """
    if content["size"] not in (None, size):
        width, height = content["size"]
        raise TfsegError(
            f"{content['path']} was drawn on an image of {width}x{height}, "
            f"but {content['image']} is {size[0]}x{size[1]}"
        )
    objects = {}
    for number, shape in enumerate(content["shapes"]):
        if len(shape["points"]) < _FEWEST.get(shape["kind"], 1):
            continue
        key = number if shape["group"] is None else (shape["label"], shape["group"])
        title = f"{content['path']}, shape {number}"
        objects.setdefault(key, (indices[shape["label"]], []))[1].append(_shape(shape, size, title))
    return raster.paint(
        [(value, raster.union(shapes, size, holes=True)) for value, shapes in objects.values()],
        size,
        background,
        on_top or "later",
    )


def _shape(shape, size, title):
    points, kind = shape["points"], shape["kind"]
    if kind == "rectangle":
        (left, top), (right, bottom) = points.min(0), points.max(0)
        points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if kind == "circle":
        return raster.circle(points[0], points[1], size)
    if kind == "point":
        return raster.circle(points[0], points[0] + [_POINT_RADIUS, 0], size)
    if kind in ("line", "linestrip"):
        return raster.lines(points, size, _LINE_WIDTH)
    if kind == "mask":
        return _mask(shape["mask"], points, size, title)
    return raster.polygon(points, size)


def _mask(text, points, size, title):
    """A mask as PNG in base64, whose corner is the first point."""
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise TfsegError(f"{title}: the mask is no PNG file in base64") from error
    mask = read_values(content, title) > 0
    left, top = np.maximum(points.min(0), 0).astype(int).tolist()
    return raster.Shape(top, left, mask[: max(size[1] - top, 0), : max(size[0] - left, 0)])
