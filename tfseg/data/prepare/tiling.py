"""Tiles of images that are too large to train on, and of their label maps."""

import collections
import dataclasses
import os
import threading

from tfseg.data.image_files import read_image
from tfseg.data.prepare.convert import in_parallel, upright_size
from tfseg.data.prepare.formats.values import open_large, whole_values
from tfseg.data.scenes import open_scene
from tfseg.errors import TfsegError

# Below this, tiles are smaller than what networks reduce to one cell.
_SMALLEST = 32
# Of images that can't be read in windows, and open files: a row of tiles has one, or two.
_KEPT = 4


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How images are cut.

    A tile begins every `tile_size - overlap` pixels, from the upper left corner. The last one of a
    row, or of a column, begins earlier, where the image would end before it does; so all have the
    same size, but for images that are smaller than a tile.

    Attributes:
        tile_size: height and width in pixels.
        overlap: how many pixels neighbours share at least.

    Raises:
        TfsegError: tiles that are too small, or whose next doesn't begin later.
    """

    tile_size: int
    overlap: int = 0

    def __post_init__(self):
        if self.tile_size < _SMALLEST:
            raise TfsegError(f"`tile_size` must be at least {_SMALLEST}, not {self.tile_size}")
        if not 0 <= self.overlap < self.tile_size:
            raise TfsegError(
                f"`overlap` must be in 0..{self.tile_size - 1} with `tile_size={self.tile_size}`, "
                f"not {self.overlap}"
            )

    def windows(self, size):
        """[(top, bottom, left, right)] of an image of (H, W), row by row."""
        rows, columns = map(self._spans, size)
        return [(*row, *column) for row in rows for column in columns]

    def _spans(self, length):
        last = max(length - self.tile_size, 0)
        starts = [*range(0, last, self.tile_size - self.overlap), last]
        return [(start, min(start + self.tile_size, length)) for start in starts]


def cut(splits, tiling, sizes, skipped, progress=None):
    """The tiles of a source's images, each of which lies in one split with all of its tiles.

    Args:
        splits: {split: `Item`s}.
        tiling: a `Tiling`.
        sizes: {path of a mask: (H, W)}.
        skipped: a list that gets (image, reason) of those whose size can't be told, or is another
            than their mask's.
        progress: called as progress(done, total).

    Returns:
        {split: `Item`s with a window}, named after the row and column of their first pixel.
    """
    items = [(split, item) for split, chosen in splits.items() for item in chosen]

    def look(row):
        try:
            return _size(row[1], sizes), None
        except TfsegError as error:
            return None, str(error)

    tiles = collections.defaultdict(list)
    found = in_parallel(look, items, progress, len(items))
    for (split, item), (size, error) in zip(items, found, strict=True):
        if error:
            skipped.append((item.image, error))
            continue
        digits = len(str(max(size)))
        stem, ending = os.path.splitext(item.name)
        for window in tiling.windows(size):
            name = f"{stem}_r{window[0]:0{digits}}_c{window[2]:0{digits}}{ending}"
            tiles[split].append(dataclasses.replace(item, name=name, window=window))
    return dict(tiles)


def _size(item, sizes):
    scene = open_scene(item.image)
    if scene is None:
        size = upright_size(item.image)[::-1]
    else:
        with scene:
            size = scene.size
    mask = sizes.get(item.label, size) if isinstance(item.label, str) else size
    if mask != size:
        raise TfsegError(
            f"mask {item.label} is {mask[1]}x{mask[0]}, but its image {size[1]}x{size[0]}"
        )
    return size


class Cutter:
    """Reads tiles; the files of the last few stay open, and images without windows in memory.

    Its methods may be called from several threads.

    Args:
        reading: the `formats.masks.Reading` of masks, or None.
    """

    def __init__(self, reading=None):
        self._reading = reading
        self._lock, self._open = threading.Lock(), collections.OrderedDict()

    def image(self, path, window, bands):
        """A tile of an image, and where it has no data: see `Scene.image`."""

        def open_image():
            scene = open_scene(path)
            if scene is None:
                return _Whole(read_image(path, bands=bands))
            scene.require(bands)
            return scene

        with self._lock:
            return self._get(("image", path), open_image).image(bands, *window)

    def labels(self, item):
        """The class indices of an `Item`'s tile, uint8 [h, w]; None without any."""
        label = item.label
        if label is None:
            return None

        def open_labels():
            if not isinstance(label, str):
                return _Whole(label(upright_size(item.image)))
            return open_large(label) or _Whole(self._reading.read(label))

        with self._lock:
            values = self._get(("label", label), open_labels).read(*item.window)
        # What was read whole are indices already.
        whole = values.ndim == 2
        return values if whole else self._reading.indices(whole_values(values, label), label)

    def _get(self, key, make):
        if key not in self._open:
            self._open[key] = make()
            if len(self._open) > _KEPT:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return self._open[key]

    def close(self):
        """Closes all files."""
        while self._open:
            self._open.popitem()[1].close()


class _Whole:
    """An image or label map in memory, with a `Scene`'s methods."""

    def __init__(self, array):
        self._array = array

    def read(self, top, bottom, left, right):
        return self._array[top:bottom, left:right].copy()

    def image(self, bands, *window):
        return self.read(*window), None

    def close(self):
        pass


@dataclasses.dataclass(frozen=True)
class Piece:
    """A tile, as the `image` and the `label` of a `Pair`.

    Attributes:
        item: an `Item` with a window.
        cutter: a `Cutter`.
    """

    item: object
    cutter: Cutter

    def __str__(self):
        top, _, left, _ = self.item.window
        return f"{self.item.image} (tile at row {top}, column {left})"

    def image(self, bands):
        """The image, and booleans where it has no data, or None."""
        return self.cutter.image(self.item.image, self.item.window, bands)

    def labels(self, empty):
        """The class indices, ignored where `empty` says so; None without any.

        Raises:
            TfsegError: there is nothing to learn from, since all is ignored or empty.
        """
        labels = self.cutter.labels(self.item)
        if labels is not None and empty is not None:
            labels[empty] = 255
        if (empty is not None and empty.all()) or (labels is not None and (labels == 255).all()):
            raise TfsegError(f"{self} has no labelled pixel")
        return labels
