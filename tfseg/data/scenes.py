"""Scenes: TIFF files that are read window by window, and never whole."""

import collections
import itertools
import math
import os
import threading

import numpy as np
from PIL import Image

from tfseg.data.geotiff import geo_tags, is_nodata, nodata_of
from tfseg.data.image_files import as_wanted, require_bands
from tfseg.data.pixel_files import TIFF_SIGNATURES, as_stored, bands_first, of_array
from tfseg.errors import TfsegError
from tfseg.files import open_file
from tfseg.lazy import LazyModule
from tfseg.words import counted

tifffile = LazyModule("tifffile")

# More pixels than this, 8192 x 8192, are read window by window.
LARGE = 1 << 26
# Of TIFF 6.0, and its supplements.
_GREY, _RGB, _PALETTE, _YCBCR = 1, 2, 3, 6
_PHOTOMETRICS = {0: "white is zero", _PALETTE: "a palette", 5: "inks", 8: "CIE L*a*b*"}
_UNCOMPRESSED, _JPEG = 1, 7
# What decoded pieces may take, in bytes: those that the next windows need, and one alone.
_CACHE, _LARGEST_PIECE = 1 << 28, 1 << 28


def is_scene(path, scenes=None, whole=False):
    """Whether an image file is read window by window.

    Args:
        path, scenes: as for `open_scene`.
        whole: whether all of an image is needed at once: with `scenes=None`, only those of more
            than `LARGE` pixels are scenes then.
    """
    scene = open_scene(path, scenes)
    if scene is None:
        return False
    with scene:
        return bool(scenes) or not whole or scene.is_large


def open_scene(path, scenes=None, kind="image", indices=False):
    """The `Scene` of an image file that is read window by window; None of others.

    Args:
        path, kind, indices: as for `Scene`.
        scenes: True for every TIFF file, False for none; None for those of more than `LARGE`
            pixels, and those with GeoTIFF or no-data tags whose layout `Scene` reads.

    Raises:
        TfsegError: it is large, or all are wanted, and it can't be read so.
    """
    if scenes is False or not _is_tiff(path):
        return None
    if scenes is None and not _is_installed():
        _require_openable(path, kind)
        return None
    try:
        scene = Scene(path, kind, indices)
    except TfsegError as error:
        # Others may still be read whole, which says what is wrong if they can't.
        if scenes or (isinstance(error, UnsupportedLayout) and error.is_large):
            raise
        return None
    if scenes or scene.tags or scene.nodata is not None or scene.is_large:
        return scene
    scene.close()
    return None


def _is_tiff(path):
    path = os.fspath(path)
    if "://" in path or not path.lower().endswith((".tif", ".tiff")):
        return False
    try:
        with open_file(path) as file:
            return file.read(4) in TIFF_SIGNATURES
    except (OSError, TfsegError):
        return False  # whoever reads it says more


def _is_installed():
    try:
        return bool(tifffile.TiffFile)
    except ImportError:
        return False


def _require_openable(path, kind):
    """Checks that Pillow takes a file of this size: what it says else doesn't name the extra."""
    try:
        with open_file(path) as file, Image.open(file):
            pass
    except Image.DecompressionBombError as error:
        raise _needs_tifffile(f"{kind} {os.fspath(path)}") from error
    except Exception:  # damage of any kind: whoever reads it says more
        pass


def _needs_tifffile(title):
    return TfsegError(
        f'{title} is read in windows, which needs tifffile: pip install "tfseg-keras[tiff]"'
    )


class UnsupportedLayout(TfsegError):
    """A TIFF file that can't be read in windows."""

    def __init__(self, message, is_large=False):
        super().__init__(message)
        self.is_large = is_large


class Scene:
    """A TIFF file of tiles or strips. Its methods may be called from several threads.

    Args:
        path: of the file.
        kind: what messages call it: "image", "mask".
        indices: whether the values of a palette count, and not its colours.

    Attributes:
        size: (H, W).
        pixels: `Pixels`.
        tags: see `geotiff.geo_tags`.
        nodata: the value of pixels that have none, or None.

    Raises:
        TfsegError: it can't be read. `UnsupportedLayout` where it could be, but not in windows.
    """

    def __init__(self, path, kind="image", indices=False):
        self.path, self._title = os.fspath(path), f"{kind} {os.fspath(path)}"
        self._lock, self._cache, self._cached = threading.Lock(), collections.OrderedDict(), 0
        self._opened = None
        if not _is_installed():
            raise _needs_tifffile(self._title)
        try:
            self._opened = tifffile.TiffFile(self.path)
            series = self._opened.series[0]
            self._page = series.keyframe
            self.tags, self.nodata = geo_tags(self._page.tags), nodata_of(self._page.tags)
            self._look(series, indices)
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception) or isinstance(error, TfsegError):
                raise
            raise self._damaged(error) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the file."""
        if self._opened is not None:
            self._opened.close()

    @property
    def is_large(self):
        """Whether it has more pixels than are read at once."""
        return self.size[0] * self.size[1] > LARGE

    def _damaged(self, error):
        # Damage shows as anything that its decoders raise, and a codec that isn't there as this.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if "imagecodecs" in reason:
            reason += ': pip install "tfseg-keras[tiff]"'
        return TfsegError(f"{self._title} can't be read: {reason}")

    def _look(self, series, indices):
        page = self._page
        separate, depth, height, width, together = page.shaped
        self.size = height, width
        pages = [page for page in series.pages if page is not None]
        planes, self._dtype = separate * together, page.dtype
        fault = None
        photometric, known = int(page.photometric), [_GREY, _RGB]
        if page.compression == _JPEG:
            known.append(_YCBCR)
        if indices:
            known.append(_PALETTE)
        if photometric not in known:
            colours = _PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
            fault = f"its colours are stored as {colours}"
        elif depth != 1 or (len(pages) > 1 and (planes > 1 or not bands_first(series))):
            fault = f"its pages are no bands (axes {series.axes})"
        elif math.prod(series.shape) != len(pages) * math.prod(page.shape):
            fault = f"only the first of its pages is described (axes {series.axes})"
        elif self._dtype is None or page.bitspersample != 8 * self._dtype.itemsize:
            fault = f"its values have {counted(page.bitspersample, 'bit')}"
        elif int(getattr(page.tags.get(274), "value", 1)) != 1:
            fault = "its rows are turned or mirrored (orientation)"
        self._pieces = (
            (page.tilelength, page.tilewidth)
            if page.is_tiled
            else (min(page.rowsperstrip, height), width)
        )
        self._rows = page.compression == _UNCOMPRESSED and not page.is_tiled
        self._together = together
        if fault is None and not self._rows:
            amount = math.prod(self._pieces) * together * self._dtype.itemsize
            if amount > _LARGEST_PIECE:
                fault = f"a piece of {self._pieces[1]}x{self._pieces[0]} takes {amount >> 20} MiB"
        if fault is not None:
            raise UnsupportedLayout(
                f"{self._title} can't be read in windows: {fault}; `gdal_translate -co TILED=YES "
                "-co COMPRESS=DEFLATE` stores it so that it can, with `-expand rgb` for a palette",
                self.is_large,
            )
        # (page, plane of it) of each plane that is stored for itself.
        self._planes = list(itertools.product(range(len(pages)), range(separate)))
        self._pages = pages
        channels = planes * len(pages)
        alpha = len(page.extrasamples) > 0 and int(page.extrasamples[-1]) in (1, 2)
        self.pixels = of_array((height, width, channels), self._dtype, self._title, alpha)

    def read(self, top, bottom, left, right):
        """The window [top, bottom) x [left, right): its values as stored, [h, w, channels].

        Raises:
            TfsegError: it can't be read.
        """
        shape = (bottom - top, right - left, self._together)
        read = self._read_rows if self._rows else self._read_pieces
        try:
            with self._lock:
                planes = [
                    read(place, np.empty(shape, self._dtype), top, left) for place in self._planes
                ]
        except Exception as error:
            raise self._damaged(error) from error
        return planes[0] if len(planes) == 1 else np.concatenate(planes, -1)

    def _read_rows(self, place, out, top, left):
        """Fills a window from strips that aren't compressed: only its bytes are read."""
        page = self._pages[place[0]]
        each, (rows, width) = len(self._grid(0)), self._pieces
        file, dtype = self._opened.filehandle, self._dtype.newbyteorder(self._opened.byteorder)
        for row, target in enumerate(out, top):
            number = place[1] * each + row // rows
            start = (row % rows * width + left) * self._together * dtype.itemsize
            if not page.databytecounts[number]:
                target[:] = self._nothing
                continue
            if start + target.nbytes > page.databytecounts[number]:
                raise ValueError("a strip is shorter than its rows")
            file.seek(page.dataoffsets[number] + start)
            data = file.read(target.nbytes)
            if len(data) < target.nbytes:
                raise ValueError("it ends before its last row")
            target[:] = np.frombuffer(data, dtype).reshape(target.shape)
        return out

    def _read_pieces(self, place, out, top, left):
        """Fills a window from the decoded pieces that it meets."""
        rows, columns = self._pieces
        height, width = out.shape[:2]
        each = [len(self._grid(axis)) for axis in (0, 1)]
        for y in range(top // rows, (top + height - 1) // rows + 1):
            for x in range(left // columns, (left + width - 1) // columns + 1):
                piece = self._piece(place[0], (place[1] * each[0] + y) * each[1] + x)
                above, before = y * rows - top, x * columns - left
                own = slice(max(-above, 0), height - above), slice(max(-before, 0), width - before)
                cut = piece[own] if piece.ndim else piece
                target = out[max(above, 0) : above + rows, max(before, 0) : before + columns]
                if piece.ndim and cut.shape != target.shape:
                    raise ValueError("a piece of it is smaller than its tags say")
                target[:] = cut
        return out

    def _grid(self, axis):
        return range(0, self.size[axis], self._pieces[axis])

    @property
    def _nothing(self):
        """What is written where there is no piece: files of GDAL may leave out empty ones."""
        nodata, floats = self.nodata or 0, self._dtype.kind == "f"
        limits = None if floats else np.iinfo(self._dtype)
        holds = floats or limits.min <= nodata <= limits.max
        return np.asarray(nodata if holds else 0).astype(self._dtype)

    def _piece(self, number, index):
        """A tile or strip, [h, w, channels] without what lies beyond the image."""
        key = number, index
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        page = self._pages[number]
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if not count:
            return self._nothing
        file = self._opened.filehandle
        file.seek(offset)
        data = file.read(count)
        if len(data) < count:
            raise ValueError("it ends within a tile or strip")
        piece = self._page.decode(data, index, jpegtables=self._page.jpegtables)[0]
        piece = np.ascontiguousarray(piece[0])
        self._cache[key], self._cached = piece, self._cached + piece.nbytes
        while self._cached > _CACHE and len(self._cache) > 1:
            self._cached -= self._cache.popitem(last=False)[1].nbytes
        return piece

    def image(self, bands, *window):
        """A window as an image, and where it has no data.

        Pixels of which all bands have the file's nodata value are zero: the value itself may be
        NaN, or far from all others. So are those of tiles that `prepare` cuts (`tile_size`) and of
        scenes that are predicted; images that are read whole keep the value.

        Args:
            bands: `Bands` of what is wanted.
            window: top, bottom, left, right.

        Returns:
            [h, w, channels] of `bands.dtype`, and booleans [h, w], or None where the file says no
            such value.

        Raises:
            TfsegError: it can't be read, or is of another kind.
        """
        values, empty = self.read(*window), None
        if self.nodata is not None:
            empty = is_nodata(values, self.nodata)
            values[empty] = 0
        return as_wanted(as_stored(values, self.path), self.path, bands), empty

    def require(self, bands):
        """Checks that its pixels are such as these `Bands`.

        Raises:
            TfsegError: they aren't.
        """
        pixels = self.pixels
        require_bands(bands.fault(pixels.channels, pixels.bits, pixels.alpha), self.path)
