"""Image files outside of the graph: what Pillow opens, as arrays or as one clear error.

The pipelines decode inside of the graph (`tfseg.data.decoding`); both see the same pixels, and a
test compares them.
"""

import contextlib
import io
import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tfseg.data import exif, png
from tfseg.errors import TfsegError
from tfseg.files import open_file
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")

# Pillow's names of what the graph decodes too: phones write several pictures into one JPEG file.
GRAPH_FORMATS = ("JPEG", "MPO", "PNG")


@contextlib.contextmanager
def reading(path, kind="image"):
    """Within, whatever Pillow says about a file becomes a `TfsegError` of one line.

    Args:
        path: the file that is read.
        kind: what it is, in words: "image", "label map".
    """
    try:
        yield
    except FileNotFoundError as error:
        raise TfsegError(f"{kind} {path} does not exist") from error
    except UnidentifiedImageError as error:
        raise TfsegError(f"{kind} {path} is not an image") from error
    # Damage shows as any of these: as SyntaxError in the chunks of a PNG file, for example.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise TfsegError(f"{kind} {path} can't be read: {reason}") from error


def rgb_array(image):
    """A PIL image, as stored, as uint8 RGB [H, W, 3].

    Grey is repeated, a palette looked up, transparency dropped; of 16 bits the upper 8 are taken.
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


def read_image(source, title=None, max_side=None):
    """An image as people see it: what `tfseg.data.decoding.decode_image` sees in the graph.

    It is turned upright as its EXIF orientation says.

    Args:
        source: a path, a file's bytes, a PIL image, or a uint8 RGB array [H, W, 3] (returned as it
            is). Any kind of file that Pillow reads.
        title: what messages call it; default the path.
        max_side: the largest height and width of a file, whose header is asked before the image
            is decoded; None for Pillow's own limit.

    Returns:
        uint8 RGB [H, W, 3]; grey is repeated, transparency dropped, 16 bits become 8.

    Raises:
        TfsegError: the file is missing, damaged, no image or too large, or the array isn't uint8
            [H, W, 3].
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            raise TfsegError(
                "an image array must be uint8 [height, width, 3] in RGB order, "
                f"not {source.dtype} {list(source.shape)}"
            )
        return source
    if isinstance(source, Image.Image):
        return rgb_array(ImageOps.exif_transpose(source))
    if title is None:
        title = "in memory" if isinstance(source, bytes) else os.fspath(source)
    with reading(title), opened(source) as file:
        orientation = exif.read_orientation(file)
        file.seek(0)
        with Image.open(file) as image:
            if max_side and max(image.size) > max_side:
                width, height = image.size
                raise TfsegError(f"{title} is {width}x{height}, above {max_side} pixels a side")
            if image.format not in GRAPH_FORMATS:
                image = ImageOps.exif_transpose(image)
            return exif.turned(rgb_array(image), orientation)


def require_graph_format(image, title):
    """Raises a `TfsegError` unless a PIL image's file is one that the pipelines decode."""
    if image.format not in GRAPH_FORMATS:
        raise TfsegError(f"{title} is a {image.format} file; PNG or JPEG is needed")


def image_size(source, title=None):
    """The (width, height) of an image as it is seen, from its file's header.

    Args:
        source: its path, or its bytes.
        title: what messages call it; default the path.

    Raises:
        TfsegError: there is no such file, or it is not a PNG or JPEG file.
    """
    title = title or source
    with reading(title), opened(source) as file:
        orientation = exif.read_orientation(file)
        file.seek(0)
        with Image.open(file) as image:
            require_graph_format(image, f"image {title}")
            return exif.turned_size(image.size, orientation)


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
