"""Image files with all that they hold: any number of channels, 8 or 16 bits, or floats.

Pillow reads what it holds without loss, which is 8 bits of up to four channels, and grey of 16.
TensorFlow reads the other PNG files, tifffile the other TIFF files, and NumPy its own.
"""

import dataclasses
import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from tfseg.data import exif, png
from tfseg.errors import TfsegError
from tfseg.files import damage_is_value_error
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

NPY_SIGNATURE = b"\x93NUMPY"
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Of TIFF 6.0: how many bits, floats or not, which channels are more than the colour's, and how it
# is turned.
_BITS, _FORMAT, _EXTRA, _ORIENTATION = 258, 339, 338, 274
_FLOAT = 3
# What is stored, by the kind of number; the others become float32, if that holds them.
_BITS_OF = {"uint8": 8, "uint16": 16, "float32": 32}


@dataclasses.dataclass(frozen=True)
class Pixels:
    """What pixels a file has, from its header.

    Attributes:
        size: (width, height), as stored; of TIFF files that Pillow doesn't read, as seen.
        channels: how many.
        bits: of each: 8 or 16, or 32 for floats.
        alpha: whether the last channel is called transparency.
        plain: whether Pillow reads it without loss.
    """

    size: tuple[int, int]
    channels: int
    bits: int = 8
    alpha: bool = False
    plain: bool = True


def is_npy(start):
    """Whether a file with these first bytes is NumPy's."""
    return start.startswith(NPY_SIGNATURE)


def look(file, title):
    """The `Pixels` of an image file, from its header.

    Args:
        file: a file object at its start, which can seek; it is left at its start.
        title: what messages call it.

    Raises:
        TfsegError: an array of another kind, or a TIFF file without tifffile. What Pillow raises,
            where it is no image: see `image_files.reading`.
    """
    start = file.read(png.HEADER_SIZE)
    file.seek(0)
    try:
        if is_npy(start):
            return _look_npy(file, title)
        if start.startswith(png.SIGNATURE) and start[png.BIT_DEPTH : png.BIT_DEPTH + 1] == b"\x10":
            return _look_png(start)
        try:
            with Image.open(file) as image:
                pixels = _look_pillow(image)
        except UnidentifiedImageError:
            if not start.startswith(TIFF_SIGNATURES):
                raise
            pixels = None
        file.seek(0)
        return pixels or _look_tiff(file, title)
    finally:
        file.seek(0)


def read_pixels(file, title):
    """All that an image file holds, as stored: uint8, uint16 or float32 [H, W, channels].

    Args:
        file, title: as for `look`; not a file that is `plain`.

    Raises:
        TfsegError: as `look`, and where float32 can't hold the numbers. What NumPy, TensorFlow or
            tifffile raise of a damaged file becomes a ValueError.
    """
    start = file.read(len(png.SIGNATURE))
    file.seek(0)
    if is_npy(start):
        with damage_is_value_error():
            array = np.load(file, allow_pickle=False)
        return as_stored(array, title)
    if start == png.SIGNATURE:
        try:
            return tf.io.decode_png(file.read(), dtype="uint16").numpy()
        except tf.errors.OpError as error:
            raise ValueError(error.message.splitlines()[0]) from error
    return as_stored(_read_tiff(file, title), title)


# Modes whose channels are not those of `Pixels`: as which others they are read.
_READ_AS = {"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}


def pillow_pixels(image):
    """An 8-bit PIL image's own channels, uint8 [H, W, n]; a palette is looked up."""
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert(_READ_AS.get(image.mode, "RGB"))
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def pixels_of(image):
    """The `Pixels` of a PIL image."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return Pixels(image.size, 1, 16 if mode.startswith("I;16") else 32)
    alpha = mode in ("LA", "RGBA", "PA", "La", "RGBa")
    own = 1 if mode in ("1", "L", "LA", "La") else 3
    return Pixels(image.size, own + alpha, alpha=alpha)


def _look_pillow(image):
    """The same of a file; None for a TIFF file of which Pillow would lose something."""
    if image.format == "TIFF" and (_loses(image.tag_v2) or _is_stack(image)):
        return None
    return pixels_of(image)


def _loses(tags):
    bits, extra = (np.atleast_1d(tags.get(tag, ())) for tag in (_BITS, _EXTRA))
    formats = np.atleast_1d(tags.get(_FORMAT, 1))
    unnamed = [kind for kind in extra if kind not in (1, 2)]
    return bool((bits > 8).any() or (formats == _FLOAT).any() or len(extra) > 1 or unnamed)


def _is_stack(image):
    """Whether a TIFF file's pages are bands, as far as Pillow tells it."""
    return image.mode == "L" and image.n_frames > 1


def _look_png(start):
    width, height = (int.from_bytes(start[at : at + 4], "big") for at in (png.WIDTH, png.HEIGHT))
    kind = start[png.COLOUR_TYPE]
    channels = {png.GREY: 1, png.RGB: 3, png.GREY_ALPHA: 2, png.RGBA: 4}.get(kind)
    if channels is None:
        raise ValueError("its header is damaged")
    return Pixels((width, height), channels, 16, kind in (png.GREY_ALPHA, png.RGBA), plain=False)


def _look_npy(file, title):
    major, _ = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if major not in read:
        raise ValueError("its header is of another version")
    with damage_is_value_error():
        shape, _, dtype = read[major](file)
    return of_array(shape, dtype, title)


def of_array(shape, dtype, title, alpha=False):
    if len(shape) not in (2, 3) or 0 in shape or dtype.kind not in "buif":
        raise TfsegError(
            f"image {title} holds {dtype} {list(shape)}; numbers [height, width] or [height, "
            "width, channels] are needed"
        )
    channels = shape[2] if len(shape) == 3 else 1
    bits = _BITS_OF.get(_kind(dtype), 32)
    return Pixels((shape[1], shape[0]), channels, bits, alpha, plain=False)


def _kind(dtype):
    return "uint8" if dtype.kind == "b" else dtype.newbyteorder("=").name


def as_stored(array, title):
    """An array [H, W, channels] of one of the kinds that are stored."""
    of_array(array.shape, array.dtype, title)
    array = array if array.ndim == 3 else array[..., None]
    name = _kind(array.dtype)
    if name in _BITS_OF:
        return np.ascontiguousarray(array, name)
    stored = array.astype(np.float32)
    if array.dtype.kind != "f" and (stored.astype(np.float64) != array).any():
        raise TfsegError(f"image {title} has {name} values that float32 can't hold")
    return stored


def _tifffile(title):
    try:
        import tifffile
    except ImportError as error:
        raise TfsegError(
            f"image {title} is a TIFF file of several bands, 16 bits or floats, which needs "
            'tifffile: pip install "tfseg-keras[tiff]"'
        ) from error
    return tifffile


def _first_page(file, title):
    """tifffile's first series of a file: its page, or its planes."""
    tifffile = _tifffile(title)
    try:
        series = tifffile.TiffFile(file).series[0]
    except (tifffile.TiffFileError, IndexError) as error:
        raise ValueError(str(error) or "it has no page") from error
    return series


def _look_tiff(file, title):
    series = _first_page(file, title)
    shape = series.shape
    if bands_first(series):
        shape = (*shape[1:], shape[0])
    extra = series.keyframe.extrasamples
    alpha = len(extra) > 0 and int(extra[-1]) in (1, 2)
    pixels = of_array(shape, series.dtype, title, alpha)
    size = exif.turned_size(pixels.size, _orientation(series))
    return dataclasses.replace(pixels, size=size)


def _orientation(series):
    tag = series.keyframe.tags.get(_ORIENTATION)
    return int(tag.value) if tag is not None and int(tag.value) in exif.TURNS else 1


def bands_first(series):
    """Whether the first axis is that of bands; else it is the last, or there is none.

    Bands may be planes of one page ("SYX") or, as some programs write them, pages. An array that
    has its bands last gets pages too, one for each row, from tifffile, which takes bands for
    columns: of pages without a name ("QYX") the shorter outer axis has the bands.
    """
    shape, axes = series.shape, series.axes
    if len(shape) == 3 and axes[1:] == "YX":
        return axes[0] != "Q" or shape[0] <= shape[2]
    if axes not in ("YX", "YXS"):
        raise ValueError(f"its axes are {axes}, not rows, columns and bands")
    return False


def _read_tiff(file, title):
    series = _first_page(file, title)
    first = bands_first(series)
    try:
        array = series.asarray()
    # Damage shows as anything that its decoders raise, and a codec that isn't there as this too.
    except Exception as error:
        raise ValueError(str(error).strip().partition("\n")[0]) from error
    array = np.moveaxis(array, 0, -1) if first else array
    return exif.turned(array, _orientation(series))


def is_canonical_npy(file):
    """Whether a NumPy file, at its start, is one that the pipelines read as it is."""
    if np.lib.format.read_magic(file) != (1, 0):
        return False
    _, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    return not fortran and dtype.str in ("|u1", "<u2", "<f4")


def npy_bytes(array):
    """An array as a NumPy file of the first version, which the pipelines read."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return file.getvalue()
