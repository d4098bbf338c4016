"""Prediction of many image files: reading and writing go on while the network runs."""

import collections
import concurrent.futures
import itertools
import os
import typing

import numpy as np
from PIL import Image

from tfseg import visualize
from tfseg.data.entries import Names, single_names
from tfseg.data.image_files import read_image, read_label
from tfseg.data.lists import relative_name
from tfseg.data.scenes import is_scene
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, require_file
from tfseg.inference.outputs import DEFAULT_OUTPUTS
from tfseg.inference.pictures import PICTURES, picture
from tfseg.inference.resume import Outputs
from tfseg.inference.scene_files import predict_scene, scene_name, stored_counts
from tfseg.outputs import OutputFolder, stems

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".npy")


def find_images(inputs, output_dir=None):
    """The image files that `inputs` stand for, and what to call their results.

    Args:
        inputs: paths of image files, of folders (searched with all their subfolders), and of
            lists (`.txt`, one image a line, relative to the list's folder).
        output_dir: the folder for the results. Where it lies inside of a folder of `inputs`, what
            an earlier prediction has left in it is no input.

    Returns:
        A dict {image path: name}, in order. A name is a relative path that ends in ".png": the
        path in the input folder or in the list, so that folders keep their structure. Images
        that differ in their extension alone keep it: "a.jpg.png"; see `tfseg.outputs.stems`.

    Raises:
        TfsegError: an input is missing, has no image, or is `output_dir`, or two images would get
            the same name.
    """
    found = {}
    for source in inputs:
        if os.path.isdir(source):
            images = _folder(source, output_dir)
        elif not os.path.exists(source):
            raise TfsegError(f"{source} does not exist")
        elif source.lower().endswith(".txt"):
            images = _list(source)
        else:
            require_file(source)
            images = {source: os.path.basename(source)}
        if not images:
            raise TfsegError(f"{source} has no image ({', '.join(EXTENSIONS)})")
        found.update(images)
    taken = {}
    for path, name in found.items():
        other = taken.setdefault(name, path)
        if other != path:
            raise TfsegError(
                f"{other} and {path} would both become {name}: predict them separately"
            )
    return {path: f"{stem}.png" for path, stem in zip(found, stems(taken), strict=True)}


def _folder(folder, output_dir):
    images = {}
    results = output_dir and os.path.realpath(output_dir)
    if os.path.realpath(folder) == results:
        raise TfsegError(f"the results would lie among the images of {folder}: name another folder")
    for parent, children, files in os.walk(folder):
        children[:] = sorted(
            child for child in children if os.path.realpath(os.path.join(parent, child)) != results
        )
        for file in sorted(files):
            if file.lower().endswith(EXTENSIONS):
                path = os.path.join(parent, file)
                images[path] = os.path.relpath(path, folder)
    return images


def _list(path):
    folder = os.path.dirname(path)
    names, images = Names(os.path.abspath(folder)), {}
    for listed in single_names(path, names):
        image = names.path(listed)
        name = relative_name(names.root, listed, image)
        below = os.path.join(names.root, name) == image
        images[os.path.join(folder, name) if below else image] = name
    return images


class Done(typing.NamedTuple):
    """An image that `predict_files` has dealt with.

    Attributes:
        path: of the image.
        labels: its label map, uint8 [H, W]; None where `message` is not, and of scenes.
        message: why it can't be read, or None.
        kept: whether its results were there already.
        counts: int64 [256], the pixels of each label; None where that isn't known.
    """

    path: str
    labels: np.ndarray | None
    message: str | None = None
    kept: bool = False
    counts: np.ndarray | None = None


def predict_files(
    predictor,
    names,
    output_dir,
    outputs=DEFAULT_OUTPUTS,
    threads=4,
    *,
    ids=None,
    settings=None,
    labels_wanted=False,
    scenes=None,
    progress=None,
):
    """Predicts image files and writes the results as PNG, those of scenes as TIFF.

    `labels/NAME` is 8-bit grey and holds class indices; `color/NAME` holds the same indices with
    the palette (so viewers show colours, and it reads as a label map too); `overlay/NAME` shows
    the colours over the image, `panel/NAME` the image, the colours and the overlay side by side,
    each above a legend of the classes that occur;
    `ids/NAME` is 8-bit grey and holds the values that `ids` gives. A file appears under its name
    when it is complete. What becomes of scenes, which are read window by window, says
    `tfseg.inference.scene_files.predict_scene`.

    Args:
        predictor: a `Predictor`.
        names: {image path: name}, as from `find_images`.
        output_dir: the folder for the results.
        outputs: which of `tfseg.inference.outputs.OUTPUTS` to write.
        threads: how many threads read and write; so many images are in flight beside the one in
            the network.
        ids: for "ids": uint8 [256], the value of each class, as from `class_values`.
        settings: what the results depend on, as from `settings_of`: what an earlier run with the
            same settings has left isn't predicted again. None predicts all.
        labels_wanted: whether only results count that tell the label map.
        scenes: which TIFF files are scenes: see `tfseg.data.scenes.open_scene`. Where the predictor
            needs whole images and this is None, only those of more than 64 megapixels are.
        progress: called as progress("row", done, total) while a scene is predicted.

    Yields:
        `Done`, of those first that were there already, each kind in order. Of these, the label map
        is None where there is neither labels/ nor color/.

    Raises:
        TfsegError: the results can't be written, or would be over one of the images, or over files
            that aren't an earlier run's.
    """
    folder, there = OutputFolder(output_dir, names), set()
    large, failed = _scenes(names, scenes, predictor.needs_whole)
    results = {
        path: [scene_name(kind, name) if path in large else f"{kind}/{name}" for kind in outputs]
        for path, name in names.items()
    }
    if settings is not None:
        earlier = Outputs(output_dir, settings, itertools.chain.from_iterable(results.values()))
        if not labels_wanted or {"labels", "color"} & set(outputs):
            there = {path for path in names if earlier.has(path, results[path])}
    for path in names:
        if path in there:
            yield _kept(path, output_dir, results[path])
    queue = (path for path in names if path not in there)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:

        def read(path):
            if path in failed:
                raise failed[path]
            # Of a scene, no more is read ahead than that it is one.
            return None if path in large else read_image(path, bands=predictor.bands)

        def read_ahead(count):
            return [(path, pool.submit(read, path)) for path in itertools.islice(queue, count)]

        reading = collections.deque(read_ahead(threads))
        writing = collections.deque()
        while reading or writing:
            if reading and len(writing) <= threads:
                path, image = reading.popleft()
                reading.extend(read_ahead(1))
                try:
                    image = image.result()
                    if path in large:
                        more = (path, names[path], folder, outputs, ids, progress)
                        yield Done(path, None, counts=predict_scene(predictor, *more))
                        continue
                    labels = predictor.predict(image)
                except TfsegError as error:
                    yield Done(path, None, str(error))
                    continue
                more = (predictor, image, labels, folder, names[path], outputs, ids)
                writing.append((path, labels, pool.submit(_write, *more)))
            else:
                path, labels, written = writing.popleft()
                written.result()
                yield Done(path, labels, counts=_counts(labels))


def _scenes(paths, scenes, whole):
    """The set of those that are scenes, and {path: why it can't be read}."""
    found, failed = set(), {}
    for path in paths:
        try:
            if is_scene(path, scenes, whole):
                found.add(path)
        except TfsegError as error:
            failed[path] = error
    return found, failed


def _counts(labels):
    return np.bincount(labels.ravel(), minlength=256)


def _kept(path, output_dir, results):
    """The `Done` of an image whose results were written before."""
    for kind in ("labels", "color"):
        for name in results:
            if name.startswith(f"{kind}/"):
                there = os.path.join(output_dir, name)
                if name.endswith(".tif"):
                    return Done(path, None, kept=True, counts=stored_counts(there))
                labels = read_label(there)
                return Done(path, labels, kept=True, counts=_counts(labels))
    return Done(path, None, kept=True)


def _write(predictor, image, labels, folder, name, outputs, ids):
    classes, palette = predictor.spec.classes, predictor.palette
    image = predictor.bands.picture(image)
    for kind in outputs:
        if kind in PICTURES:
            shown = picture(kind, image, labels, classes, palette)
        else:
            shown = Image.fromarray(ids[labels] if kind == "ids" else labels)
            if kind == "color":
                shown.putpalette(visualize.colour_table(palette).tobytes())
        with atomic_write(folder.path(f"{kind}/{name}")) as file:
            shown.save(file, "PNG")
