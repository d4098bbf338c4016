"""Image files outside of the graph: what Pillow opens, as arrays or as one clear error.

The pipelines decode inside of the graph (`tfseg.data.images`); both see the same pixels.
"""

import contextlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from tfseg.data import png
from tfseg.errors import TfsegError


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


def read_rgb(path):
    """An image file as `rgb_array` gives it.

    Raises:
        TfsegError: it is missing, damaged, or no image.
    """
    with reading(path), Image.open(path) as image:
        return rgb_array(image)


def check_label(path):
    """The (width, height) of a label map, from its header.

    Raises:
        TfsegError: there is no such file, or it is not an 8-bit grey or palette PNG.
    """
    with reading(path, "label map"), open(path, "rb") as file:
        header = file.read(png.HEADER_SIZE)
    if len(header) < png.HEADER_SIZE or not header.startswith(png.SIGNATURE):
        raise TfsegError(f"label map {path} is not a PNG file")
    colour_type, depth = header[png.COLOUR_TYPE], header[png.BIT_DEPTH]
    if not png.holds_indices(colour_type, depth):
        found = png.NAMES[min(colour_type, len(png.NAMES) - 1)]
        raise TfsegError(f"label map {path} has {depth}-bit {found} pixels; {png.LABEL_RULE}")
    return tuple(
        int.from_bytes(header[start : start + 4], "big") for start in (png.WIDTH, png.HEIGHT)
    )


def read_label(path):
    """The values of a label map, uint8 [H, W]: indices, never colours.

    Raises:
        TfsegError: it is missing, damaged, or not an 8-bit grey or palette PNG.
    """
    check_label(path)
    with reading(path, "label map"), Image.open(path) as image:
        return np.asarray(image)
