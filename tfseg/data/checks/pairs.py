"""What is in the two files of a pair, without a verdict on its classes."""

import numpy as np
from PIL import Image

from tfseg.data import exif, pixel_files, png
from tfseg.data.image_files import graph_pixels, opened, read_label_header, reading
from tfseg.data.shards import read_pair
from tfseg.errors import TfsegError

# Edges of index maps jump from class to class; only where a class is one pixel wide do they pass
# through a value in between. Of interpolated edges at least half do.
_BLENDED, _MIN_EDGES = 0.35, 50


def inspect_pair(image_list, index, whole=True, whole_label=True):
    """The facts of an entry of an `ImageList`, in plain values that JSON keeps.

    Args:
        image_list: `ImageList` with labels.
        index: which entry.
        whole, whole_label: decode the image, the label map; otherwise look at the header only.

    Returns:
        {"errors", "warnings": lists of lines, "kind": the image's format and Pillow mode, "pixels":
        its channels, bits and whether it has transparency, "size": its [width, height] as it is
        seen, "turned": its EXIF orientation, "counts": {value of the label map: pixels}, "palette":
        {value that occurs: [r, g, b]} of a palette PNG, "blended": share of the label map's edges
        that look interpolated, where it is large, otherwise 0}
    """
    facts = {"errors": [], "warnings": [], "kind": None, "size": None, "turned": 1}
    facts |= {"counts": {}, "palette": {}, "blended": 0, "pixels": []}
    titles = image_list.image_titles[index], image_list.label_titles[index]
    packed = None
    if image_list.offsets is not None:
        try:
            packed = read_pair(image_list, index)
        except TfsegError as error:
            return {**facts, "errors": [str(error)]}
    sizes = []
    for number, (name, look) in enumerate((("image", _image), ("label map", _label))):
        path = (image_list.images, image_list.labels)[number][index]
        try:
            source = packed[number] if packed else path
            with reading(titles[number], name), opened(source) as file:
                decode = (whole, whole_label)[number]
                sizes.append(look(file, f"{name} {titles[number]}", decode, facts))
        except TfsegError as error:
            facts["errors"].append(str(error))
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        turned = facts["turned"]
        turned = f", turned as its EXIF orientation {turned} says," if turned != 1 else ""
        facts["errors"].append(
            f"image {titles[0]}{turned} is {sizes[0][0]}x{sizes[0][1]}, "
            f"but its label map {titles[1]} is {sizes[1][0]}x{sizes[1][1]}"
        )
    facts["size"] = list(sizes[0]) if sizes and not facts["errors"] else None
    return facts


def _require_content(file, title):
    if not file.read(1):
        raise TfsegError(f"{title} is empty: the file has 0 bytes")
    file.seek(0)


def _image(file, title, whole, facts):
    """The (width, height) of an image file."""
    _require_content(file, title)
    facts["turned"] = exif.read_orientation(file)
    file.seek(0)
    pixels, facts["kind"] = graph_pixels(file, title)
    facts["pixels"] = [pixels.channels, pixels.bits, pixels.alpha]
    if whole:
        # What they mean is judged by info.json; here they only have to be there.
        if pixels.plain:
            with Image.open(file) as image:
                image.load()
        elif not np.isfinite(pixel_files.read_pixels(file, title)).all():
            raise TfsegError(f"{title} has values that are no finite numbers (NaN)")
    return exif.turned_size(pixels.size, facts["turned"])


def _label(file, title, whole, facts):
    """The (width, height) of a label file: 8-bit grey or palette PNG."""

    def hint(colour_type):
        if facts["kind"] in ("PNG P", "PNG L"):
            return "; its image is an index PNG: are the two lists swapped?"
        coloured = colour_type in (png.RGB, png.RGBA)
        return "; a table of colours (`color_map`) prepares them as indices" if coloured else ""

    _require_content(file, title)
    width, height, colour_type = read_label_header(file, title, hint)
    size = exif.turned_size((width, height), exif.read_orientation(file))
    if whole:
        file.seek(0)
        with Image.open(file) as image:
            values = np.asarray(image)
            palette = image.getpalette() or []
        counts = np.bincount(values.ravel(), minlength=256)
        facts["counts"] = {str(value): int(counts[value]) for value in np.flatnonzero(counts)}
        if colour_type == png.PALETTE:
            facts["palette"] = {
                value: palette[3 * int(value) : 3 * int(value) + 3] for value in facts["counts"]
            }
        facts["blended"] = blended_edges(values)
    return size


def blended_edges(labels):
    """The share of the edges that look interpolated, 0 where it is small.

    It is the share, among the changes between neighbours of a row or column, of pixels whose value
    lies strictly between those of its two neighbours.

    Args:
        labels: uint8 [H, W].

    Returns:
        A float, 0..1.
    """
    between = changes = 0
    for values in (labels, labels.T):
        first, middle, last = values[:, :-2], values[:, 1:-1], values[:, 2:]
        rising = (first < middle) & (middle < last)
        falling = (first > middle) & (middle > last)
        between += np.count_nonzero(rising | falling)
        changes += np.count_nonzero(values[:, 1:] != values[:, :-1])
    share = between / changes if changes >= _MIN_EDGES else 0.0
    return share if share > _BLENDED else 0.0
