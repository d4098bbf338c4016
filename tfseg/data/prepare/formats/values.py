"""What is stored in a mask's file, as it is: values or colours, from any kind of file."""

import os

import numpy as np
from PIL import Image, ImageOps

from tfseg.data import exif
from tfseg.data.image_files import GRAPH_FORMATS, opened, reading
from tfseg.data.prepare.convert import read_mat
from tfseg.data.prepare.formats.raster import MAX_PIXELS
from tfseg.data.scenes import open_scene
from tfseg.errors import TfsegError
from tfseg.files import damage_is_value_error, open_file
from tfseg.words import counted

# Of large TIFF files: as much as a row of usual pieces, and not too much of a wide one.
_ROWS, _COLUMNS = 512, 8192


def read_values(source, title=None):
    """The values of a mask [H, W], or its colours, uint8 [H, W, 3 or 4], turned upright.

    A palette gives its indices. Channels that are all the same are one, and grey with alpha, or
    RGB with alpha, is what varies of both: the alpha channel where the colour is the same
    everywhere; otherwise the colour, black where nothing is to be seen.

    Args:
        source: a path, or a file's bytes.
        title: what messages call it; default the path.

    Raises:
        TfsegError: it can't be read, or holds what can't be a label.
    """
    title = title or source
    if isinstance(source, str) and source.lower().endswith(".mat"):
        return whole_values(read_mat(source), title)
    if isinstance(source, str) and source.lower().endswith(".npy"):
        return whole_values(_read_npy(source), title)
    with reading(title, "mask"), opened(source) as file:
        orientation = exif.read_orientation(file)
        file.seek(0)
        with Image.open(file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise TfsegError(f"mask {title} is {image.width}x{image.height}: too large")
            known = image.format in GRAPH_FORMATS
            image.load()
            array = _array(image if known else ImageOps.exif_transpose(image))
            return whole_values(exif.turned(array, orientation) if known else array, title)


def open_large(path):
    """The `Scene` of a mask that is a large TIFF file, and read in windows; None of others.

    Raises:
        TfsegError: it is one, and can't be read so.
    """
    if not isinstance(path, str):
        return None
    scene = open_scene(path, kind="mask", indices=True)
    if scene is None or not scene.is_large:
        if scene is not None:
            scene.close()
        return None
    if scene.pixels.channels not in (1, 3):
        scene.close()
        raise TfsegError(
            f"mask {path} has {counted(scene.pixels.channels, 'channel')}; large TIFF files have "
            "one, or red, green and blue"
        )
    return scene


def pieces(path):
    """What `read_values` gives, in pieces where the mask is a large TIFF file.

    Yields:
        (H, W) of the whole, and the values of a piece.
    """
    scene = open_large(path)
    if scene is None:
        values = read_values(path)
        yield values.shape[:2], values
        return
    with scene:
        height, width = scene.size
        for top in range(0, height, _ROWS):
            for left in range(0, width, _COLUMNS):
                ends = top, min(top + _ROWS, height), left, min(left + _COLUMNS, width)
                yield scene.size, whole_values(scene.read(*ends), path)


def _array(image):
    """The pixels of a PIL image; 1 bit as 0 and 255."""
    # Programs that write GIF and BMP order palettes as they like.
    if image.mode == "P" and image.format not in ("PNG", "TIFF"):
        image = image.convert("RGB")
    if image.mode in ("P", "L", "RGB", "RGBA", "LA"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode.startswith(("I", "F")):
        return np.asarray(image)
    return np.asarray(image.convert("RGBA" if "A" in image.mode else "RGB"))


def whole_values(array, title):
    """Integers [H, W] or colours [H, W, 3] of what a mask's file holds."""
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        array = _without_alpha(array[..., :-1], array[..., -1])
    if array.ndim == 3 and array.shape[2] == 3:
        same = (array[..., 0] == array[..., 1]).all() and (array[..., 1] == array[..., 2]).all()
        array = array[..., 0] if same else array
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    coloured = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    if not array.size or array.dtype.kind not in "buif" or not (array.ndim == 2 or coloured):
        shape = "x".join(map(str, array.shape))
        raise TfsegError(f"mask {title} holds {shape} {array.dtype}: no values, nor colours")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and (array == np.round(array)).all()):
            raise TfsegError(f"mask {title} has values that aren't whole numbers")
        array = array.astype(np.int64)
    return array


def _without_alpha(colours, alpha):
    """What of both varies."""
    flat = colours.reshape(-1, colours.shape[2])
    if alpha.min() == alpha.max():
        return colours
    if (flat == flat[0]).all():
        return alpha
    return np.where(alpha[..., None] == 0, np.zeros((), colours.dtype), colours)


def _read_npy(path):
    try:
        with damage_is_value_error(), open_file(path) as file:
            return np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise TfsegError(f"mask {path} does not exist") from error
    except (OSError, ValueError) as error:
        raise TfsegError(f"mask {path} is no array file: {error}") from error


def read_palette(path):
    """{index: (r, g, b)} of a palette PNG, whole, or None for other files."""
    if not path.lower().endswith((".png", ".tif", ".tiff")):
        return None
    with reading(path, "mask"), opened(path) as file, Image.open(file) as image:
        if image.mode != "P":
            return None
        flat = image.getpalette("RGB") or []
    return {k: tuple(flat[3 * k : 3 * k + 3]) for k in range(len(flat) // 3)}


def is_lossy(path):
    """Whether values beside the true ones are to be expected: JPEG and WebP files."""
    return os.path.splitext(path)[1].lower() in (".jpg", ".jpeg", ".jfif", ".webp")
