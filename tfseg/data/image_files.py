"""Image files outside of the graph: what Pillow opens, as arrays or as one clear error.

The pipelines decode inside of the graph (`tfseg.data.decoding`); both see the same pixels, and a
test compares them.
"""

import contextlib
import io
import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tfseg.bands import RGB
from tfseg.data import exif, pixel_files, png
from tfseg.errors import TfsegError
from tfseg.files import damage_is_value_error, open_file
from tfseg.lazy import LazyModule
from tfseg.words import counted

tf = LazyModule("tensorflow")

# Pillow's names of what the graph decodes too: phones write several pictures into one JPEG file.
GRAPH_FORMATS = ("JPEG", "MPO", "PNG")


@contextlib.contextmanager
def reading(path, kind="image"):
    """Within, whatever Pillow or tifffile says about a file becomes a `TfsegError` of one line.

    Args:
        path: the file that is read.
        kind: what it is, in words: "image", "label map".
    """
    try:
        with damage_is_value_error():
            yield
    except FileNotFoundError as error:
        raise TfsegError(f"{kind} {path} does not exist") from error
    except UnidentifiedImageError as error:
        raise TfsegError(f"{kind} {path} is not an image") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise TfsegError(f"{kind} {path} can't be read: {reason}") from error


@contextlib.contextmanager
def any_size():
    """Within, Pillow opens images of any number of pixels, which it otherwise takes for an attack
    from 179 million on."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def opens(size):
    """Whether Pillow opens an image of (H, W), as far as its number of pixels goes: see
    `any_size`."""
    limit = Image.MAX_IMAGE_PIXELS
    return limit is None or size[0] * size[1] <= 2 * limit


def rgb_array(image):
    """A PIL image, as stored, as uint8 RGB [H, W, 3].

    Grey is repeated, a palette looked up, transparency dropped. Of 16 bits the upper 8 are taken:
    a caller that may meet them asks `Bands.fault` first.
    """
    if image.mode.startswith("I"):
        # PIL would clip 16 bits to 255 instead of scaling them.
        grey = np.clip(np.asarray(image, np.int32) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode == "CMYK":
        # As TensorFlow's decoder does it. Pillow rounds where this cuts: some values differ by 1.
        inks = 255 - np.asarray(image, np.uint16)
        return (inks[..., :3] * inks[..., 3:] // 255).astype(np.uint8)
    if "transparency" in image.info:
        # Pillow would warn of what a palette then loses.
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def opened(source):
    """A file object of a path or of a file's bytes; of local files Python's, which is faster."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    path = os.fspath(source)
    if "://" not in path:
        return open_file(path)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(path)
    return tf.io.gfile.GFile(path, "rb")


def read_image(source, title=None, max_side=None, bands=RGB):
    """An image as people see it: what `tfseg.data.decoding.decode_image` sees in the graph.

    It is turned upright as its EXIF orientation says.

    Args:
        source: a path, a file's bytes, a PIL image, or an array [H, W, channels] of the values that
            `bands` says, for 8-bit ones uint8 (returned as it is). Any kind of file that Pillow
            reads; a NumPy file; and, with tifffile, TIFF files of any number of bands.
        title: what messages call it; default the path.
        max_side: the largest height and width of a file, whose header is asked before the image
            is decoded; None for Pillow's own limit.
        bands: `Bands` of what is wanted.

    Returns:
        [H, W, channels] of `bands.dtype`. Where RGB is wanted, grey is repeated; transparency is
        dropped where it isn't one of the channels.

    Raises:
        TfsegError: the file is missing, damaged, no image or too large, or image or array are of
            another kind.
    """
    if isinstance(source, np.ndarray):
        return _of_array(source, bands)
    if title is None:
        in_memory = isinstance(source, bytes | Image.Image)
        title = "in memory" if in_memory else os.fspath(source)
    if isinstance(source, Image.Image):
        return _of_pillow(ImageOps.exif_transpose(source), title, bands)
    with reading(title), opened(source) as file:
        orientation = exif.read_orientation(file)
        file.seek(0)
        pixels = pixel_files.look(file, title)
        if max_side and max(pixels.size) > max_side:
            width, height = pixels.size
            raise TfsegError(
                f"{title} is {width}x{height}, above {counted(max_side, 'pixel')} a side"
            )
        require_bands(bands.fault(pixels.channels, pixels.bits, pixels.alpha), title)
        if not pixels.plain:
            image = pixel_files.read_pixels(file, title)
            return exif.turned(as_wanted(image, title, bands), orientation)
        with Image.open(file) as image:
            if image.format not in GRAPH_FORMATS:
                image = ImageOps.exif_transpose(image)
            return exif.turned(_of_pillow(image, title, bands), orientation)


def require_bands(fault, title):
    if fault:
        raise TfsegError(f"image {title} {fault}")


def _of_array(array, bands):
    """An image that is an array already."""
    if bands.in_levels:
        right = array.dtype == np.uint8
        needed = "uint8"
    else:
        right = array.dtype.kind in "uif"
        needed = "numbers"
    if not right or array.ndim != 3 or array.shape[2] != bands.channels or not array.size:
        order = " in RGB order" if bands == RGB else ""
        span = "" if bands.in_levels else f" in {bands.value_range[0]:g}..{bands.value_range[1]:g}"
        raise TfsegError(
            f"an image array must be {needed} [height, width, {bands.channels}]{order}{span}, "
            f"not {array.dtype} {list(array.shape)}"
        )
    return array if bands.in_levels else _finite(array.astype(np.float32), "in memory")


def _of_pillow(image, title, bands):
    """A PIL image of 8 bits, or one number a pixel, [H, W, channels] of `bands.dtype`."""
    pixels = pixel_files.pixels_of(image)
    require_bands(bands.fault(pixels.channels, pixels.bits, pixels.alpha), title)
    if pixels.bits > 8:
        return as_wanted(np.asarray(image)[..., None], title, bands)
    if bands.channels == 3:
        return rgb_array(image).astype(bands.dtype, copy=False)
    return as_wanted(pixel_files.pillow_pixels(image), title, bands)


def as_wanted(image, title, bands):
    """Pixels as stored, [H, W, n], as `bands` has them; their kind must be right."""
    if image.shape[2] != bands.channels:
        image = image[..., :-1] if image.shape[2] in (2, bands.channels + 1) else image
        if image.shape[2] == 1 and bands.channels == 3:
            image = np.repeat(image, 3, axis=-1)
    if image.shape[2] != bands.channels:
        raise TfsegError(f"image {title} {bands.fault(image.shape[2], 8)}")
    return _finite(np.ascontiguousarray(image, bands.dtype), title)


def _finite(image, title):
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise TfsegError(f"image {title} has values that are no finite numbers (NaN)")
    return image


def graph_pixels(file, title):
    """(`Pixels`, kind) of a file that the pipelines decode; the kind is Pillow's format and mode.

    Args:
        file, title: as for `pixel_files.look`; the file is left at its start.

    Raises:
        TfsegError: it is a file of another kind.
    """
    start = file.read(len(pixel_files.NPY_SIGNATURE))
    file.seek(0)
    if pixel_files.is_npy(start):
        return pixel_files.look(file, title), "NPY"
    with Image.open(file) as image:
        kind = f"{image.format} {image.mode}"
        if image.format not in GRAPH_FORMATS:
            raise TfsegError(f"{title} is a {image.format} file; PNG, JPEG or NPY is needed")
    file.seek(0)
    return pixel_files.look(file, title), kind


def image_size(source, title=None):
    """The (width, height) of an image as it is seen, from its file's header.

    Args:
        source: its path, or its bytes.
        title: what messages call it; default the path.

    Raises:
        TfsegError: there is no such file, or it is not a PNG, JPEG or NumPy file.
    """
    title = title or source
    with reading(title), opened(source) as file:
        orientation = exif.read_orientation(file)
        file.seek(0)
        pixels, _ = graph_pixels(file, f"image {title}")
        return exif.turned_size(pixels.size, orientation)


def read_label_header(file, title, hint=lambda colour_type: ""):
    """(width, height, colour type) of a label map, from its header.

    Args:
        file: a file object at its start.
        title: what messages call it.
        hint: function of the PNG's colour type, or of None for what is no PNG, to the end of the
            message about a wrong kind of file.

    Raises:
        TfsegError: it is not an 8-bit grey or palette PNG.
    """
    header = file.read(png.HEADER_SIZE)
    if len(header) < png.HEADER_SIZE or not header.startswith(png.SIGNATURE):
        raise TfsegError(f"{title} is not a PNG file{hint(None)}")
    colour_type, depth = header[png.COLOUR_TYPE], header[png.BIT_DEPTH]
    if not png.holds_indices(colour_type, depth):
        found = png.NAMES[min(colour_type, len(png.NAMES) - 1)]
        raise TfsegError(
            f"{title} has {depth}-bit {found} pixels; {png.LABEL_RULE}{hint(colour_type)}"
        )
    width, height = (
        int.from_bytes(header[start : start + 4], "big") for start in (png.WIDTH, png.HEIGHT)
    )
    return width, height, colour_type


def read_label(source, title=None):
    """The values of a label map, uint8 [H, W]: indices, never colours; see `decode_label`.

    Args:
        source, title: as for `read_image`.

    Raises:
        TfsegError: it is missing, damaged, or not an 8-bit grey or palette PNG.
    """
    title = title or source
    with reading(title, "label map"), opened(source) as file:
        orientation = exif.read_orientation(file)
        file.seek(0)
        read_label_header(file, f"label map {title}")
        file.seek(0)
        with Image.open(file) as image:
            return exif.turned(np.asarray(image), orientation)
