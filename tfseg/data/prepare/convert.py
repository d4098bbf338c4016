"""One image and its label map, from a release's files to those of a data folder."""

import os
from concurrent import futures

import numpy as np
from PIL import Image

from tfseg.data import image_files
from tfseg.data.image_files import read_image, reading
from tfseg.data.labels import describe_values, label_table
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, open_file
from tfseg.parallel import in_order


def convert_image(source, target, size):
    """Copies an image byte for byte, or stores it upright, resized to (width, height), as PNG.

    Args:
        source: path or the file's bytes.
        target: path to write, or None to read only.
        size: (width, height) or None.

    Returns:
        int64 [3, 256]: pixels of each value in red, green and blue, of what was stored.

    Raises:
        TfsegError: the image can't be read, or `target` not written.
    """
    name = "of the data set" if isinstance(source, bytes) else source
    image = Image.fromarray(read_image(source, name))
    if size is not None:
        image = image.resize(size, Image.Resampling.BILINEAR)
        save_png(image, target)
    elif target is not None:
        if not isinstance(source, bytes):
            with reading(source), open_file(source) as file:
                source = file.read()
        with atomic_write(target) as file:
            file.write(source)
    return np.reshape(image.histogram(), [3, 256])


def convert_label(source, target, dataset, size):
    """Stores a label map as 8-bit grey PNG of class indices; `size` takes cells' centres.

    Args:
        source: path of a PNG or .mat file, or an array of its values or colours.
        target: path to write, or None to read only.
        dataset: a `Dataset`.
        size: (width, height) or None.

    Returns:
        int64 [256]: pixels of each class index and of the ignore label, of what was stored.

    Raises:
        TfsegError: the file can't be read, or has a value or colour that `dataset` does not list.
    """
    labels = read_label(source, dataset)
    if size is not None:
        labels = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    if target is not None:
        save_png(Image.fromarray(labels), target)
    return np.bincount(labels.ravel(), minlength=256)


def read_label(source, dataset, name=None):
    """The class indices of a release's label map, uint8 [H, W]; see `convert_label`.

    Args:
        name: what messages call the file, where `source` is an array.
    """
    name = name or (source if isinstance(source, str) else "a label map")
    if not isinstance(source, np.ndarray):
        if source.endswith(".mat"):
            source = read_mat(source)
        elif dataset.color_map is not None:
            source = read_image(source)
        else:
            source = image_files.read_label(source)
    if dataset.color_map is not None:
        return _from_colours(source, name, dataset)
    if dataset.classes is None and dataset.label_map is None:
        return source.astype(np.uint8)
    classes = len(dataset.classes) if dataset.classes else 256
    table = label_table(classes, dataset.label_map, dataset.ignore_label)
    if source.min(initial=0) < 0 or source.max(initial=0) > 255:
        raise TfsegError(f"label map {name} has values outside of 0..255")
    labels = table[source]
    if labels.min(initial=0) < 0:
        wrong = source[labels < 0]
        count = np.sum(wrong == wrong[0])
        raise TfsegError(
            f"label map {name} has the value {wrong[0]} in {count} pixels, which {dataset.title} "
            f"does not have: it has {describe_values(table, dataset.ignore_label)}"
        )
    return labels.astype(np.uint8)


def _from_colours(pixels, name, dataset):
    """Class indices of an RGB label map."""
    colours = np.array(list(dataset.color_map), np.int64)
    order = np.argsort(codes := _codes(colours))
    indices = np.array(list(dataset.color_map.values()), np.uint8)[order]
    codes, found = codes[order], _codes(pixels.astype(np.int64))
    places = np.minimum(np.searchsorted(codes, found), len(codes) - 1)
    unknown = codes[places] != found
    if unknown.any():
        values, counts = np.unique(found[unknown], return_counts=True)
        most = int(values[counts.argmax()])
        colour = (most >> 16, most >> 8 & 255, most & 255)
        more = f" (and {len(values) - 1} more unknown colours)" if len(values) > 1 else ""
        raise TfsegError(
            f"label map {name} has the unknown colour {colour} in {counts.max()} pixels{more}"
        )
    return indices[places]


def _codes(colours):
    return colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]


def read_mat(path):
    """The label map of a MATLAB file: COCO-Stuff's `S`, or SBD's `GTcls.Segmentation`.

    Raises:
        TfsegError: SciPy isn't installed, or the file is no such file.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise TfsegError(f'{path} needs SciPy: pip install "tfseg-keras[mat]"') from error
    try:
        with open_file(path) as file:
            content = loadmat(file)
        labels = content["S"] if "S" in content else content["GTcls"][0, 0]["Segmentation"]
    except TfsegError:
        raise
    except FileNotFoundError as error:
        raise TfsegError(f"label map {path} does not exist") from error
    # SciPy's reader fails in many ways on files that are something else.
    except Exception as error:
        raise TfsegError(
            f"label map {path} is no MATLAB file with S or GTcls.Segmentation"
        ) from error
    return np.asarray(labels)


def save_png(image, path):
    """Writes a PIL image as PNG, atomically."""
    with atomic_write(path) as file:
        # Three times as fast as the default level, for files 8% larger.
        image.save(file, "PNG", compress_level=3)


def in_parallel(function, jobs, progress=None, total=None):
    """Yields function(job) in the order of `jobs`, which are drawn a few ahead.

    Args:
        function: called in threads: Pillow leaves Python's lock while it decodes, scales and
            encodes.
        jobs: an iterable.
        progress: called as progress(done, total) after each.
        total: how many there are.
    """
    threads = min(32, 2 * (os.cpu_count() or 1))
    with futures.ThreadPoolExecutor(threads) as pool:
        results = in_order(pool, function, ((job,) for job in jobs), 4 * threads)
        for done, result in enumerate(results, 1):
            if progress:
                progress(done, total)
            yield result
