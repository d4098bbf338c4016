"""Maps of logits from a network that sees tiles of an image, one after the other.

A tile begins where the network's cells begin, and is as much longer than whole periods of them as
the image is, so that its map is a piece of the whole image's: "same" padding puts more of itself
before an odd length than before an even one. Where tiles overlap, one fades into the next. Rows of
tiles are run when their rows of the map are asked for, and forgotten afterwards: memory depends on
the tile and on the image's width.
"""

import dataclasses
import functools

import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.models.sizes import OutputSizes


@dataclasses.dataclass(frozen=True)
class Axis:
    """How one axis of a view is cut into tiles; everything in int32 tensors.

    Attributes:
        length: pixels of the axis.
        starts, stops: [n], the pixels of each tile.
        cells: of the whole map.
        first, last: [n], the cells of each tile: first to last - 1.
        weights: float32 [n, cells], summing to one over the tiles of a cell.
    """

    length: tf.Tensor
    starts: tf.Tensor
    stops: tf.Tensor
    cells: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor
    weights: tf.Tensor


class Tiling:
    """The tiles that a model sees.

    Args:
        model: a `Segmenter`.
        tile_size: the largest height and width in pixels.

    Raises:
        TfsegError: a tile that may be too small to overlap its neighbours by a whole period.
    """

    def __init__(self, model, tile_size):
        self.period = model.size_period
        self.tile_size = tile_size
        self.overlap = max(tile_size // 4 // self.period, 1) * self.period
        if tile_size < 3 * self.period:
            raise TfsegError(
                f"`tile_size` must be at least {3 * self.period} for this model, not {tile_size}"
            )
        self._sizes = OutputSizes(model)

    @functools.cached_property
    def cells(self):
        """Cells of the logits in a period of pixels."""
        (one, _), (two, _) = (
            self._sizes((n * self.period, n * self.period))["logits"] for n in (1, 2)
        )
        return two - one

    def axis(self, length, cells):
        """The `Axis` of `length` pixels, a scalar tensor, with `cells` in the whole map."""
        surplus = self.tile_size + self.period - length % self.period
        tile = self.tile_size - surplus % self.period
        step = tile // self.period * self.period - self.overlap
        end = tf.maximum(length - tile, 0)  # whole periods
        count = (end + step - 1) // step + 1
        # Evenly spaced, where no overlap is smaller for it.
        spread = tf.range(count) * end // tf.maximum(count - 1, 1)
        starts = spread // self.period * self.period
        stops = tf.minimum(starts + tile, length)
        first = starts // self.period * self.cells
        last = tf.where(stops == length, cells, stops // self.period * self.cells)
        cell = tf.range(cells)[None]
        # How deep a cell lies within a tile, whose ends are blind but for the image's own.
        before = cell - first[:, None] + tf.where(starts == 0, cells, 0)[:, None]
        behind = last[:, None] - 1 - cell + tf.where(stops == length, cells, 0)[:, None]
        fade = self.overlap // self.period * self.cells
        blind = fade // 4
        depth = tf.cast(tf.minimum(before, behind) - blind, tf.float32) + 0.5
        ramp = tf.clip_by_value(depth / (fade - 2 * blind), 0.0, 1.0)
        ramp = ramp * ramp * (3 - 2 * ramp)
        weights = ramp / tf.reduce_sum(ramp, 0)
        return Axis(length, starts, stops, cells, first, last, weights)


class TiledMap:
    """The logits of one view, made row of tiles by row of tiles.

    Its state is (rows [N, r, w, C], the first row's number, tiles' rows run so far); it goes
    through the caller's loop.

    Args:
        tiling: a `Tiling`.
        network: function of (top, bottom, left, right) in pixels of the view to the logits of
            that piece, [N, h', w', C].
        view_size: (H, W) of the view, int32 scalar tensors.
        map_size: (h, w) of its whole map, likewise.
        batch, num_classes: N and C.
    """

    def __init__(self, tiling, network, view_size, map_size, batch, num_classes):
        self.network = network
        self.rows, self.columns = (
            tiling.axis(length, cells) for length, cells in zip(view_size, map_size, strict=True)
        )
        self.width = map_size[1]
        self.batch = batch
        self.num_classes = num_classes
        self.shapes = (
            tf.TensorShape([None, None, None, num_classes]),
            tf.TensorShape([]),
            tf.TensorShape([]),
        )

    def start(self):
        """The state before anything was run."""
        return self._zeros(0), tf.constant(0), tf.constant(0)

    def advance(self, state, first, stop):
        """The state in which rows [first, stop) of the map are there and whole."""
        count = tf.size(self.rows.starts)

        def whole(done):
            nexts = tf.gather(self.rows.first, tf.minimum(done, count - 1))
            return tf.where(done < count, nexts, self.rows.cells)

        rows, _, done = tf.while_loop(
            lambda rows, _, done: whole(done) < stop,
            self._add,
            state,
            self.shapes,
            parallel_iterations=1,
        )
        return rows[:, first - state[1] :], first, done

    def _add(self, rows, first, tile):
        """Runs one more row of tiles."""
        above, below = self.rows.first[tile], self.rows.last[tile]
        band = self._band(tile, below - above)
        band *= self.rows.weights[tile, above:below][:, None, None]
        height = below - first
        rows = tf.pad(rows, ((0, 0), (0, height - tf.shape(rows)[1]), (0, 0), (0, 0)))
        return rows + tf.pad(band, ((0, 0), (above - first, 0), (0, 0), (0, 0))), first, tile + 1

    def _band(self, tile, height):
        """The logits of a row of tiles, joined from left to right."""
        top, bottom = self.rows.starts[tile], self.rows.stops[tile]
        columns = self.columns

        def add(number, band):
            left, right = columns.first[number], columns.last[number]
            logits = self.network(top, bottom, columns.starts[number], columns.stops[number])
            # Caffe's pooling makes one cell more than there are periods: the next tile has it.
            logits = logits[:, :height, : right - left]
            logits *= columns.weights[number, left:right][:, None]
            sides = (left, self.width - right)
            return number + 1, band + tf.pad(logits, ((0, 0), (0, 0), sides, (0, 0)))

        _, band = tf.while_loop(
            lambda number, _: number < tf.size(columns.starts),
            add,
            (tf.constant(0), self._zeros(height)),
            (tf.TensorShape([]), self.shapes[0]),
            parallel_iterations=1,
        )
        return band

    def _zeros(self, height):
        return tf.zeros([self.batch, height, self.width, self.num_classes])
