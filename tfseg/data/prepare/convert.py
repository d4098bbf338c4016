"""One image and its label map, from a release's files to those of a data folder."""

from concurrent import futures

import numpy as np
from PIL import Image, ImageOps

from tfseg.bands import RGB
from tfseg.data import image_files, pixel_files, png
from tfseg.data.exif import JPEG_SIGNATURE, read_orientation, turned_size
from tfseg.data.image_files import image_size, read_image, reading
from tfseg.data.labels import describe_values, label_table
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, open_file
from tfseg.outputs import ending
from tfseg.parallel import count_cores, in_order
from tfseg.words import counted


def convert_image(source, target, size, bands=RGB):
    """Copies an image byte for byte, or stores it upright: 8-bit RGB as PNG, all else as NPY.

    Stored it is where it is resized, and where the pipelines don't decode its kind of file.

    Args:
        source: path or the file's bytes, or an array as `read_image` takes it.
        target: path to write, or None to read only.
        size: (width, height) or None.
        bands: `Bands` of what it has to be.

    Returns:
        What was stored, uint8 RGB or [H, W, channels] of `bands.dtype`.

    Raises:
        TfsegError: the image can't be read, or not without loss, or `target` not written.
    """
    name = source if isinstance(source, str) else "of the data set"
    image = read_image(source, name, bands=bands)
    as_it_is = is_graph_format(source, bands) and size is None
    if size is not None:
        image = _resized(image, size)
    if target is None:
        return image
    if as_it_is:
        if not isinstance(source, bytes):
            with reading(source), open_file(source) as file:
                source = file.read()
        with atomic_write(target) as file:
            file.write(source)
    elif bands.is_photograph:
        save_png(Image.fromarray(image), target)
    else:
        kind = "uint16" if bands.value_range == (0, 65535) else bands.dtype
        with atomic_write(target) as file:
            file.write(pixel_files.npy_bytes(image.astype(kind)))
    return image


def _resized(image, size):
    """An image [H, W, channels] at (width, height), bilinear, smoothed for reduction."""
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    planes = [
        Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR)
        for plane in np.moveaxis(image, -1, 0)
    ]
    resized = np.stack(planes, -1)
    # What was whole numbers stays so.
    return np.rint(resized) if (image == np.rint(image)).all() else resized


def extension(source, bands, size):
    """That of the file as which `convert_image` stores an image."""
    if size is None and is_graph_format(source, bands):
        return ending(source)
    return ".png" if bands.is_photograph else ".npy"


def is_graph_format(source, bands=RGB):
    """Whether the pipelines decode an image's kind of file, as its first bytes say it."""
    if isinstance(source, np.ndarray):
        return False
    if isinstance(source, bytes):
        return True
    with reading(source), open_file(source) as file:
        start = file.read(len(png.SIGNATURE))
        if pixel_files.is_npy(start):
            file.seek(0)
            return bands != RGB and pixel_files.is_canonical_npy(file)
    return start.startswith((JPEG_SIGNATURE, png.SIGNATURE))


def upright_size(source):
    """The (width, height) of an image as it is seen, whatever its kind of file."""
    if isinstance(source, bytes):
        return image_size(source)
    with reading(source), open_file(source) as file:
        orientation = read_orientation(file)
        file.seek(0)
        pixels = pixel_files.look(file, source)
        if pixels.plain:
            with Image.open(file) as image:
                if image.format not in image_files.GRAPH_FORMATS:
                    return ImageOps.exif_transpose(image).size
        return turned_size(pixels.size, orientation)


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
    return write_label(read_label(source, dataset), target, size)


def write_label(labels, target, size):
    """The same of class indices, uint8 [H, W]."""
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
            f"label map {name} has the value {wrong[0]} in {counted(count, 'pixel')}, which "
            f"{dataset.title} does not have: it has {describe_values(table, dataset.ignore_label)}"
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
        more = (
            f" (and {counted(len(values) - 1, 'more unknown colour')})" if len(values) > 1 else ""
        )
        raise TfsegError(
            f"label map {name} has the unknown colour {colour} in "
            f"{counted(counts.max(), 'pixel')}{more}"
        )
    return indices[places]


def _codes(colours):
    return colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]


def read_mat(path):
    """The label map of a MATLAB file.

    It is COCO-Stuff's `S`, SBD's `GTcls.Segmentation`, or the one matrix of numbers that there is.

    Raises:
        TfsegError: SciPy isn't installed, or the file has no such matrix, or several.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise TfsegError(f'{path} needs SciPy: pip install "tfseg-keras[mat]"') from error
    try:
        with open_file(path) as file:
            content = loadmat(file)
        if "S" in content:
            return np.asarray(content["S"])
        if "GTcls" in content:
            return np.asarray(content["GTcls"][0, 0]["Segmentation"])
    except TfsegError:
        raise
    except FileNotFoundError as error:
        raise TfsegError(f"label map {path} does not exist") from error
    # SciPy's reader fails in many ways on files that are something else.
    except Exception as error:
        raise TfsegError(
            f"label map {path} is no MATLAB file with S or GTcls.Segmentation"
        ) from error
    found = {
        name: value
        for name, value in content.items()
        if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "buif"
        # Single numbers are something else.
        if value.size > 1
    }
    if len(found) != 1:
        raise TfsegError(
            f"label map {path} is no MATLAB file with S, GTcls.Segmentation or one matrix: it has "
            f"{', '.join(found) or 'none'}"
        )
    return next(iter(found.values()))


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
    threads = min(32, 2 * count_cores())
    with futures.ThreadPoolExecutor(threads) as pool:
        results = in_order(pool, function, ((job,) for job in jobs), 4 * threads)
        for done, result in enumerate(results, 1):
            if progress:
                progress(done, total)
            yield result
