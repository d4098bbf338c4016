"""Label maps of scenes, which are written as they are read: piece by piece."""

import contextlib
import math
import os
import tempfile

import numpy as np

from tfseg import visualize
from tfseg.data.geotiff import nodata_tag
from tfseg.data.scenes import Scene
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, replacing
from tfseg.inference.pictures import PICTURES, picture
from tfseg.lazy import LazyModule

tifffile = LazyModule("tifffile")

IGNORED = 255
# Of the files that are written: pixels of a side. TIFF 6.0 wants multiples of 16.
_TILE = 512
# Bytes of data for which the offsets of 32 bits suffice, with some room for tags.
_CLASSIC = 2**32 - 2**25
# The longest side of what is shown of a scene.
_SHOWN = 2048


def scene_name(kind, name):
    """What the result `kind` of a scene is called, whose name is that of a PNG file."""
    stem = os.path.splitext(name)[0]
    return f"{kind}/{stem}.png" if kind in PICTURES else f"{kind}/{stem}.tif"


def predict_scene(predictor, path, name, folder, outputs, ids=None, progress=None):
    """Predicts a scene and writes the results.

    `labels`, `color` and `ids` become TIFF files of the scene's size, in tiles, compressed without
    loss, with its GeoTIFF tags; pictures are reduced to at most 2048 pixels a side. Pixels without
    data have the label 255, which the files state as their nodata value; `ids` have another there
    if a class has 255.

    Args:
        predictor, outputs, ids: as for `tfseg.inference.predict_files`.
        path: the TIFF file.
        name: what the results are called: see `scene_name`.
        folder: the `OutputFolder`.
        progress: called as progress("row", done, total).

    Returns:
        int64 [256], the pixels of each label.

    Raises:
        TfsegError: the scene can't be read, or a result not be written.
    """
    places = {kind: folder.path(scene_name(kind, name)) for kind in outputs}
    counts = np.zeros(256, np.int64)
    with contextlib.ExitStack() as stack:
        scene = stack.enter_context(Scene(path))
        work = stack.enter_context(_work_folder(folder.folder))

        def tags(empty=IGNORED):
            return scene.tags + ([nodata_tag(empty)] if scene.nodata is not None else [])

        def blocks():
            done = 0
            for block in _blocks(predictor.scene_strips(scene), *scene.size):
                _forget(scene, predictor.bands, done, block)
                done += len(block)
                np.add(counts, np.bincount(block.ravel(), minlength=256), out=counts)
                if progress:
                    progress("row", done, scene.size[0])
                yield block

        made = os.path.join(work, "labels.tif")
        _write(made, blocks(), scene.size, tags())
        with Scene(made, "label map") as labels:
            for kind in outputs:
                if kind in PICTURES:
                    _draw(kind, places[kind], predictor, scene, labels)
                elif kind == "color":
                    _write(places[kind], _read(labels), scene.size, tags(), predictor.palette)
                elif kind == "ids":
                    table, empty = _with_empty(ids, predictor.spec.num_classes)
                    _write(places[kind], (table[x] for x in _read(labels)), scene.size, tags(empty))
        if "labels" in places:
            with replacing(places["labels"]) as temporary:
                os.replace(made, temporary)
    return counts


def _with_empty(ids, classes):
    """The values of labels with one for `IGNORED`, and that one: the highest that no class has."""
    table = ids.copy()
    table[IGNORED] = max({*range(256)} - {*ids[:classes].tolist()}, default=IGNORED)
    return table, int(table[IGNORED])


def stored_counts(path):
    """int64 [256], the pixels of each label of a scene's labels that were written before."""
    counts = np.zeros(256, np.int64)
    with Scene(path, "label map", indices=True) as labels:
        for block in _read(labels):
            counts += np.bincount(block.ravel(), minlength=256)
    return counts


@contextlib.contextmanager
def _work_folder(parent):
    try:
        os.makedirs(parent, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix=".", dir=parent)
    except OSError as error:
        raise TfsegError(f"can't write below {parent}: {error.strerror or error}") from error
    with work as path:
        yield path


def _blocks(strips, height, width):
    """Rows of a label map, however many at a time, as blocks of a tile's height."""
    block, filled, left = np.empty((min(_TILE, height), width), np.uint8), 0, height
    for strip in strips:
        while len(strip):
            taken = min(len(strip), len(block) - filled)
            block[filled : filled + taken] = strip[:taken]
            strip, filled = strip[taken:], filled + taken
            if filled == len(block):
                yield block
                left -= filled
                block, filled = np.empty((min(_TILE, left), width), np.uint8), 0


def _forget(scene, bands, top, block):
    """Sets the labels of a block that begins at row `top` where the scene has no data."""
    if scene.nodata is not None:
        _, empty = scene.image(bands, top, top + len(block), 0, scene.size[1])
        block[empty] = IGNORED


def _read(labels):
    """The blocks of a label map that `_write` has written."""
    height, width = labels.size
    for top in range(0, height, _TILE):
        yield labels.read(top, min(top + _TILE, height), 0, width)[..., 0]


def _write(path, blocks, size, tags, palette=None):
    """Writes a label map, uint8 [H, W], from its blocks."""

    def tiles():
        for block in blocks:
            for left in range(0, size[1], _TILE):
                tile = np.zeros((_TILE, _TILE), np.uint8)
                part = block[:, left : left + _TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

    colours = {}
    if palette is not None:
        table = visualize.colour_table(palette).T.astype(np.uint16)
        colours = {"photometric": "palette", "colormap": 257 * table}
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            tiles(),
            **{"photometric": "minisblack", **colours},
            shape=size,
            dtype=np.uint8,
            tile=(_TILE, _TILE),
            compression="zlib",
            # tifffile can't tell what compressed data will take, and would choose the small format.
            bigtiff=math.prod(size) > _CLASSIC,
            extratags=tags,
            metadata=None,
            maxworkers=1,  # several would take all tiles into memory first
        )


def _draw(kind, path, predictor, scene, labels):
    """Writes a picture of a scene, reduced."""
    step = -(-max(scene.size) // _SHOWN)
    image = predictor.bands.picture(_reduced(scene, predictor.bands, step))
    rows = [np.minimum(np.arange(0, length, step) + step // 2, length - 1) for length in scene.size]
    small, top = [], 0
    for block in _read(labels):
        chosen = rows[0][(rows[0] >= top) & (rows[0] < top + len(block))]
        small.append(block[chosen - top][:, rows[1]])
        top += len(block)
    drawn = picture(kind, image, np.concatenate(small), predictor.spec.classes, predictor.palette)
    with atomic_write(path) as file:
        drawn.save(file, "PNG")


def _reduced(scene, bands, step):
    """The means of squares of `step` pixels, as an image of `bands`."""
    height, width = scene.size
    rows, parts = step * max(_TILE // step, 1), []
    columns = np.arange(0, width, step)
    across = np.diff([*columns, width])[:, None]
    for top in range(0, height, rows):
        pixels, _ = scene.image(bands, top, min(top + rows, height), 0, width)
        starts = np.arange(0, len(pixels), step)
        down = np.diff([*starts, len(pixels)])[:, None, None]
        sums = np.add.reduceat(pixels, starts, 0, dtype=np.float32)
        parts.append(np.add.reduceat(sums, columns, 1) / (down * across))
    means = np.concatenate(parts)
    return np.rint(means).astype(np.uint8) if bands.in_levels else means
