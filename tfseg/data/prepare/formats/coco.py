"""COCO's JSON: instances and stuff as polygons or run lengths, and panoptic label maps."""

import collections
import functools
import os

import numpy as np

from tfseg.data.prepare.formats import raster
from tfseg.data.prepare.formats.colours import codes_of
from tfseg.data.prepare.formats.found import Found, Item, named_by, with_background
from tfseg.data.prepare.formats.tree import split_in
from tfseg.data.prepare.formats.values import read_values
from tfseg.errors import TfsegError

_LISTS = ("images", "annotations", "categories")


def recognise(tree):
    """JSON files with images, annotations and categories."""
    found = _files(tree)
    return f"images, annotations and categories in {', '.join(found[:3])}" if found else None


@functools.lru_cache(maxsize=4)
def _files(tree):
    names = [tree.only] if tree.only else tree.ending(".json")
    # Files beside images, one each, are another format.
    return [name for name in names[:50] if _is_ours(tree, name)]


def _is_ours(tree, name):
    try:
        content = tree.json(name)
    except TfsegError:
        return False
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in _LISTS):
        return False
    # Captions and keypoints come with the same images.
    first = next(iter(content["annotations"]), {})
    return isinstance(first, dict) and "caption" not in first


def read(tree, options):
    """The images of all files; files that share images add to each other."""
    files = [read_annotations(tree.path(name), tree.json(name)) for name in _files(tree)]
    if not files:
        raise TfsegError(f"{tree.root} has no JSON file with images, annotations and categories")
    panoptic = any(file["panoptic"] for file in files)
    if panoptic:  # It says what instances and stuff say, and where nothing is known.
        files = [file for file in files if file["panoptic"]]
    categories = {}
    for file in files:
        for number, name in file["categories"].items():
            if categories.setdefault(number, name) != name:
                raise TfsegError(
                    f"{file['path']} calls category {number} {name}, but another file calls it "
                    f"{categories[number]}"
                )
    names = [categories[number] for number in sorted(categories)]
    found = Found([], notes=[named_by("the file's categories", others=False)])
    if any(map(_has_crowd, files)):
        found.notes.append("crowds count as their class")
    if panoptic:
        found.classes = tuple(names)
        indices = {number: index for index, number in enumerate(sorted(categories))}
    else:
        found.classes, found.background = with_background(names, tree.root)
        shift = len(found.classes) - len(names)
        indices = {number: index + shift for index, number in enumerate(sorted(categories))}
    if options.classes:
        _require_same(found, options.classes, tree.root)
    rows = collections.OrderedDict()
    for file in files:
        name = os.path.relpath(file["path"], tree.root).replace(os.sep, "/")
        near = {os.path.splitext(os.path.basename(name))[0].split("_")[-1], split_in(name) or ""}
        for number, image in file["images"].items():
            picture = tree.find_image(image["file"], os.path.dirname(name), near)
            if picture is None:
                found.skipped.append((image["file"], f"{file['path']} names it; it isn't there"))
                continue
            split = split_in(os.path.dirname(name) + "/") or split_in(os.path.basename(name))
            entry = rows.setdefault(picture, (image, split or split_in(picture), []))
            entry[2].extend((file, one) for one in file["annotations"].get(number, ()))
    for picture, (image, split, annotations) in rows.items():
        if panoptic and not annotations:
            label = None
        elif panoptic:
            label = functools.partial(_draw_panoptic, tree, annotations, indices)
        else:
            label = functools.partial(
                draw,
                image,
                [one for _, one in annotations],
                indices,
                found.background,
                options.on_top,
            )
        found.items.append(Item(tree.path(picture), picture, label, split))
    return found


def _require_same(found, classes, root):
    given = tuple(classes)
    if found.background is not None:
        given, _ = with_background(classes, root)
    if given != found.classes:
        names = ", ".join(found.classes)
        raise TfsegError(f"`classes` differs from the categories of {root}: {names}; leave it out")


def _has_crowd(file):
    return any(one["crowd"] for rows in file["annotations"].values() for one in rows)


def read_annotations(path, content):
    """What of a file is needed, checked.

    Returns:
        {"path", "panoptic", "categories": {id: name}, "images": {id: {"file", "size"}},
        "annotations": {image id: [annotation]}}

    Raises:
        TfsegError: it isn't what such files hold.
    """
    rows = {kind: content.get(kind) if isinstance(content, dict) else None for kind in _LISTS}
    for kind, values in rows.items():
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise TfsegError(f"{path} has no list of {kind}")
    categories = {}
    for category in rows["categories"]:
        number, name = category.get("id"), category.get("name")
        if type(number) is not int or not isinstance(name, str) or not name.strip():
            raise TfsegError(f"{path} has a category without id or name")
        if categories.setdefault(number, name) != name:
            raise TfsegError(f"{path} has two categories {number}")
    images = {}
    for image in rows["images"]:
        file, number = image.get("file_name"), image.get("id")
        if not isinstance(file, str) or not file or not isinstance(number, int | str):
            raise TfsegError(f"{path} has an image without id or file_name")
        size = raster.require_size((image.get("width"), image.get("height")), f"{path}, {file:.80}")
        images[number] = {"file": file, "size": size, "path": path}
    annotations, panoptic = collections.defaultdict(list), False
    for index, one in enumerate(rows["annotations"]):
        title = f"{path}, annotation {index}"
        image = one.get("image_id")
        if not isinstance(image, int | str) or image not in images:
            raise TfsegError(f"{title} belongs to no image of the file")
        if "segments_info" in one:
            panoptic = True
            annotations[image].append({**_segments(one, categories, title), "crowd": False})
            continue
        if type(one.get("category_id")) is not int or one["category_id"] not in categories:
            raise TfsegError(f"{title} has the category {one.get('category_id')!r:.40}, unknown")
        annotations[image].append(
            {
                "title": title,
                "category": one["category_id"],
                "segmentation": one.get("segmentation"),
                "crowd": bool(one.get("iscrowd")),
            }
        )
    if panoptic and not all("segments" in one for rows in annotations.values() for one in rows):
        raise TfsegError(f"{path} has annotations with and without segments_info")
    return {
        **{"path": path, "panoptic": panoptic, "categories": categories},
        **{"images": images, "annotations": annotations},
    }


def _segments(one, categories, title):
    """{"file", "segments": {id: category}} of a panoptic annotation."""
    file, segments = one.get("file_name"), one["segments_info"]
    if not isinstance(file, str) or not isinstance(segments, list):
        raise TfsegError(f"{title} has no file_name or segments_info")
    found = {}
    for segment in segments:
        number = segment.get("id") if isinstance(segment, dict) else None
        category = segment.get("category_id") if isinstance(segment, dict) else None
        if type(number) is not int or type(category) is not int or category not in categories:
            raise TfsegError(f"{title} has a segment without id or a known category")
        found[number] = category
    return {"title": title, "file": file, "segments": found}


def draw(image, annotations, indices, background, on_top, size):
    """The label map of an image's objects; `size` is its (width, height).

    Raises:
        TfsegError: the file states another size, or a shape can't be drawn.
    """
    if image["size"] != size:
        raise TfsegError(
            f"{image['path']} says that {image['file']} is "
            f"{image['size'][0]}x{image['size'][1]}, but it is {size[0]}x{size[1]}"
        )
    objects = [(indices[one["category"]], shape_of(one, size)) for one in annotations]
    return raster.paint(
        [row for row in objects if row[1] is not None], size, background, on_top or "smaller"
    )


def shape_of(one, size):
    """The `Shape` of an annotation; None of one that has no outline.

    Raises:
        TfsegError: it is neither polygons nor run lengths.
    """
    segmentation, title = one["segmentation"], one["title"]
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        stated = segmentation.get("size")
        if stated != [size[1], size[0]]:
            raise TfsegError(f"{title}: run lengths for another size: {stated!r:.40}")
        return raster.run_lengths(segmentation.get("counts"), size, title)
    if not isinstance(segmentation, list):
        raise TfsegError(f"{title} has neither polygons nor run lengths")
    parts = [raster.points_of(part, title) for part in segmentation]
    # Coordinates count from the image's edges: pixel (0, 0) has its centre at half a pixel.
    shapes = [raster.polygon(part - 0.5, size) for part in parts if len(part) > 2]
    return raster.union(shapes, size) if shapes else None


def _draw_panoptic(tree, annotations, indices, size):
    labels = np.full((size[1], size[0]), 255, np.uint8)
    for file, one in annotations:
        folder = os.path.splitext(os.path.relpath(file["path"], tree.root))[0]
        name = tree.find_image(one["file"], folder.replace(os.sep, "/"), (folder,))
        if name is None:
            raise TfsegError(f"{one['title']}: there is no label map {one['file']}")
        values = read_values(tree.path(name))
        codes = values if values.ndim == 2 else codes_of(values[..., ::-1])
        if codes.shape != labels.shape:
            raise TfsegError(f"{tree.path(name)} has another size than its image")
        # Where all channels are the same, as of black, one was left.
        codes = codes.astype(np.int64) * (0x010101 if values.ndim == 2 else 1)
        for number, category in one["segments"].items():
            labels[codes == number] = indices[category]
    return labels
