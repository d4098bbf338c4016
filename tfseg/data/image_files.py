"""Image files outside of the graph: what Pillow opens, as arrays or as one clear error.

The pipelines decode inside of the graph (`tfseg.data.decoding`); both see the same pixels.
"""

import contextlib
import io
import os

import numpy as np
from PIL import Image, UnidentifiedImageError

from tfseg.data import png
from tfseg.errors import TfsegError
from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")


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
    """A PIL image as uint8 RGB [H, W, 3], as the pipelines see it.

    Grey is repeated, a palette looked up, transparency dropped; of 16 bits the upper 8 are taken.
    """
    if image.mode.startswith("I"):
        # PIL would clip 16 bits to 255 instead of scaling them.
        grey = np.clip(np.asarray(image, np.int32) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(image.convert("RGB"))


def opened(source):
    """A file object of a path or of a file's bytes; of local files Python's, which is faster."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    path = os.fspath(source)
    if "://" not in path:
        return open(path, "rb")
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(path)
    return tf.io.gfile.GFile(path, "rb")


def read_rgb(source, title=None):
    """An image file as `rgb_array` gives it.

    Args:
        source: its path, or its bytes.
        title: what messages call it; default the path.

    Raises:
        TfsegError: it is missing, damaged, or no image.
    """
    with reading(title or source), opened(source) as file, Image.open(file) as image:
        return rgb_array(image)


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
    """The values of a label map, uint8 [H, W]: indices, never colours.

    Args:
        source, title: as for `read_rgb`.

    Raises:
        TfsegError: it is missing, damaged, or not an 8-bit grey or palette PNG.
    """
    title = title or source
    with reading(title, "label map"), opened(source) as file:
        read_label_header(file, f"label map {title}")
        file.seek(0)
        with Image.open(file) as image:
            return np.asarray(image)
