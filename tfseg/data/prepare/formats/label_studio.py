"""Label Studio: JSON exports with polygons and rectangles, and one PNG a label from its brush."""

import collections
import functools
import os
import re

import numpy as np

from tfseg.data.prepare.formats import raster
from tfseg.data.prepare.formats.found import Found, Item, named_by, with_background
from tfseg.data.prepare.formats.tree import split_in
from tfseg.data.prepare.formats.values import read_values
from tfseg.errors import TfsegError

_BRUSH = re.compile(r"task-(\d+)-annotation-(\d+)-by-.*?-tag-(.+?)-(\d+)\.(png|npy)", re.IGNORECASE)
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")


def recognise(tree):
    """PNG files task-N-annotation-N-…-tag-LABEL-N, or a JSON list of tasks."""
    brushed = [name for name in tree.pictures if _BRUSH.fullmatch(os.path.basename(name))]
    if brushed:
        return f"{os.path.basename(brushed[0])}, a brush's mask of one label"
    tasks = _tasks(tree)
    return f"{tasks}, a list of tasks with annotations" if tasks else None


def _tasks(tree):
    for name in [tree.only] if tree.only else tree.ending(".json")[:5]:
        try:
            content = tree.json(name)
        except TfsegError:
            continue
        first = content[0] if isinstance(content, list) and content else None
        if isinstance(first, dict) and "annotations" in first and "data" in first:
            return name
    return None


def read(tree, options):
    """The tasks' images; brushes' masks belong to the task of their number."""
    brushed = collections.defaultdict(list)
    for name in tree.pictures:
        if match := _BRUSH.fullmatch(os.path.basename(name)):
            brushed[int(match[1])].append((int(match[4]), match[3], name))
    listed = _tasks(tree)
    tasks = read_tasks(tree.path(listed), tree.json(listed)) if listed else {}
    found = Found([])
    images = _images(tree, tasks, brushed, found)
    used = {label for rows in brushed.values() for _, label, _ in rows}
    used |= {one["label"] for task in tasks.values() for one in task["objects"]}
    names = list(options.classes) or sorted(used)
    if not options.classes:
        found.notes.append(named_by("the labels of the objects", others=False))
    found.classes, found.background = with_background(names, tree.root)
    indices = {name: index for index, name in enumerate(found.classes)}
    unknown = sorted(label for label in used if label not in indices)
    if unknown:
        raise TfsegError(f"{tree.root} has the label '{unknown[0]}', which is none of the classes")
    for number, image in images.items():
        parts = sorted(brushed.get(number, ()))
        objects = tasks[number]["objects"] if number in tasks and not parts else []
        draw_it = functools.partial(
            draw,
            [(indices[label], tree.path(name)) for _, label, name in parts],
            [(indices[one["label"]], one) for one in objects],
            found.background,
            options.on_top,
        )
        label = draw_it if parts or number in tasks else None
        found.items.append(Item(tree.path(image), image, label, split_in(image)))
    return found


def _images(tree, tasks, brushed, found):
    """{task: image}: as the tasks say, or else by the number that images' names end with."""
    images = {}
    for number, task in tasks.items():
        image = _find(tree, task["image"])
        if image:
            images[number] = image
        else:
            found.skipped.append((task["image"], f"an image of task {number} that isn't there"))
    masks = {name for rows in brushed.values() for _, _, name in rows}
    pictures = [name for name in tree.pictures if name not in masks]
    if tasks:
        return images
    by_number = {}
    for name in pictures:
        digits = re.findall(r"\d+", os.path.splitext(os.path.basename(name))[0])
        if digits:
            by_number.setdefault(int(digits[-1]), name)
    if set(brushed) <= set(by_number):
        found.notes.append("masks of task N belong to the image whose name ends with N")
        return by_number
    if len(pictures) == len(brushed):
        found.notes.append("tasks belong to the images in their order: an export as JSON says it")
        return dict(zip(sorted(brushed), sorted(pictures), strict=True))
    raise TfsegError(
        f"{tree.root} doesn't say which image belongs to which task: put the export as JSON "
        "beside the masks"
    )


def _find(tree, listed):
    """The image that a task names by its URL, whose name may have a mark of the upload."""
    name = listed.partition("?d=")[2] or listed.partition("?")[0]
    base = os.path.basename(name)
    marked = _UPLOADED.fullmatch(base)
    return tree.find_image(name) or (tree.find_image(marked[1]) if marked else None)


def read_tasks(path, content):
    """{task: {"image", "objects": [{"label", "kind", "points", "title"}]}} of a JSON export.

    Raises:
        TfsegError: it is no such export.
    """
    if not isinstance(content, list) or not all(isinstance(task, dict) for task in content):
        raise TfsegError(f"{path} is no list of tasks")
    found = {}
    for index, task in enumerate(content):
        title, data = f"{path}, task {index}", task.get("data")
        values = data.values() if isinstance(data, dict) else ()
        image = next((value for value in values if isinstance(value, str)), None)
        number = task.get("id", index)
        if image is None or type(number) is not int or number in found:
            raise TfsegError(f"{title} has no image, or no number of its own")
        annotations = task.get("annotations")
        if not isinstance(annotations, list):
            raise TfsegError(f"{title} has no list of annotations")
        # Of several people's, the last that wasn't cancelled counts.
        kept = [
            one for one in annotations if isinstance(one, dict) and not one.get("was_cancelled")
        ]
        results = kept[-1].get("result") if kept else []
        if not isinstance(results, list):
            raise TfsegError(f"{title} has an annotation without results")
        objects = [_object(one, title) for one in results if isinstance(one, dict)]
        found[number] = {"image": image, "objects": [one for one in objects if one]}
    return found


def _object(one, title):
    value, kind = one.get("value"), one.get("type")
    if kind == "brushlabels":
        raise TfsegError(
            f"{title} was drawn with the brush: export 'Brush labels to PNG' and put the files "
            "beside the JSON file"
        )
    if not isinstance(value, dict) or kind not in ("polygonlabels", "rectanglelabels"):
        return None
    labels = value.get(kind)
    if not isinstance(labels, list) or not labels or not isinstance(labels[0], str):
        raise TfsegError(f"{title} has an object without a label")
    if kind == "polygonlabels":
        points = raster.points_of(value.get("points") or [], title)
    else:
        corner = raster.points_of([[value.get("x"), value.get("y")]], title)[0]
        sides = raster.points_of([[value.get("width"), value.get("height")]], title)[0]
        points = corner + sides * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    return {"label": labels[0], "points": points}


def draw(parts, objects, background, on_top, size):
    """The label map of brushes' masks [(class, path)] and of objects [(class, {"points"})]."""
    shapes = []
    for value, path in parts:
        mask = read_values(path)
        mask = mask.any(-1) if mask.ndim == 3 else mask > 0
        if mask.shape != (size[1], size[0]):
            raise TfsegError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]}, but its image {size[0]}x{size[1]}"
            )
        shapes.append((value, raster.Shape(0, 0, mask)))
    for value, one in objects:
        if len(one["points"]) > 2:
            # Percentages of edges; pixel (0, 0) has its centre at half a pixel.
            points = one["points"] / 100 * size - 0.5
            shapes.append((value, raster.polygon(points, size)))
    return raster.paint(shapes, size, background, on_top or "later")
