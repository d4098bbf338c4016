"""Class scores at the image's size, a strip of rows at a time: the whole map need never exist."""

import tensorflow as tf

from tfseg.data.resizing import reached
from tfseg.layers import resize_legacy

# Numbers in a strip of class scores, 16 MiB as float32.
_STRIP = 1 << 22


class View:
    """One view's map of logits on its way to the image's size.

    Args:
        model: the `Segmenter` that it comes from.
        image_size: (H, W) of the image, scalar tensors.
        view_size: (H', W') of what the network saw.
        map_size: (h, w) of the network's logits.
        same: whether the view has the image's size, whatever that is.
        mirrored: whether the network saw it mirrored.
        activation: what is computed of the logits before views are joined, or None; it comes
            where `Segmenter.probabilities` has it.
        padded: of a model whose map is a whole number of strides, resize all of it to the image,
            smoothed for reduction, and don't crop it to the view before.
    """

    def __init__(
        self, model, image_size, view_size, map_size, same, mirrored, activation, padded=False
    ):
        self.padded = padded and model.upsampling == "zero_border"
        if self.padded:
            view_size, same = tuple(n * model.output_stride for n in map_size), False
        self.upsampling = model.upsampling
        # Where pixel 0 lies on the map's first pixel, not their corners on each other.
        self._corner = model.upsampling == "legacy"
        self.stride = model.output_stride
        self.image_size = image_size
        self.view_size = view_size
        self.map_size = map_size
        self.same = same
        self.mirrored = mirrored
        self.activation = activation or (lambda scores: scores)

    def needs(self, start, stop):
        """(first, last + 1) rows of the logits that rows [start, stop) of the image come from."""
        if self.upsampling != "zero_border":
            return _span(start, stop, self.image_size[0], self.map_size[0], self._corner)
        start, stop = self._view_rows(start, stop)
        return _span(start, stop, self.map_size[0] * self.stride, self.map_size[0])

    def strip(self, logits, first, start, stop):
        """Rows [start, stop) of the image's class scores.

        Args:
            logits: [N, rows, w, C], the map's rows from `first` on, at least those that it `needs`.

        Returns:
            float32 [N, stop - start, W, C].
        """
        width = self.image_size[1]
        if self.upsampling != "zero_border":
            lengths = (self.map_size[0], self.image_size[0])
            rows = _rows(logits, first, *lengths, start, stop, corner=self._corner)
            scores = self.activation(_widen(rows, width, self._corner))
        else:
            above, below = self._view_rows(start, stop)
            scores = self.activation(self._zero_border(logits, first, above, below))
            if self.padded:
                scores = self._smoothed(scores, above, start, stop)
            elif not self.same:
                height = self.view_size[0]
                rows = _rows(scores, above, height, self.image_size[0], start, stop)
                scores = _widen(rows, width)
        return scores[:, :, ::-1] if self.mirrored else scores

    def _view_rows(self, start, stop):
        if self.same:
            return start, stop
        if self.padded:
            return reached(start, stop, self.image_size[0], self.view_size[0], 1)
        return _span(start, stop, self.image_size[0], self.view_size[0])

    def _smoothed(self, scores, above, start, stop):
        """Rows [start, stop) of the image's scores, from the view's from `above` on."""
        pairs = zip(self.image_size, self.view_size, strict=True)
        scales = [tf.cast(size, tf.float32) / tf.cast(source, tf.float32) for size, source in pairs]
        shift = scales[0] * tf.cast(above, tf.float32) - tf.cast(start, tf.float32)
        return tf.raw_ops.ScaleAndTranslate(
            images=scores,
            size=tf.stack([stop - start, self.image_size[1]]),
            scale=tf.stack(scales),
            translation=tf.stack([shift, 0.0]),
            kernel_type="triangle",
            antialias=True,
        )

    def _zero_border(self, logits, first, start, stop):
        """Rows of what `tfseg.layers.upsample_zero_border` gives, cut to the view's width."""
        height, factor = self.map_size[0], self.stride
        rows = _rows(logits, first, height, height * factor, start, stop, zero_border=True)
        rows = tf.pad(rows, ((0, 0), (0, 0), (1, 1), (0, 0)))
        rows = _widen(rows, tf.shape(rows)[2] * factor)
        return rows[:, :, factor : factor + self.view_size[1]]


def strip_height(width, num_classes, batch):
    """How many rows of class scores a strip has; all integers or scalar tensors."""
    return tf.maximum(_STRIP // (batch * width * num_classes), 1)


def row_order(batch, height, step):
    """Where the rows of a batch lie after strips [batch, step, ...] were laid end to end.

    A gather of rows does what a transposition would, of which oneDNN complains for uint8.

    Returns:
        int32 [batch * height].
    """
    rows = tf.range(height)
    start = rows // step * step
    within = tf.range(batch)[:, None] * tf.minimum(step, height - start)
    return tf.reshape(start * batch + within + rows - start, [-1])


def _positions(start, stop, size, source, corner=False):
    """Where rows [start, stop) of a map of `size` rows lie among `source` rows: half-pixel, or with
    `corner` as `tfseg.layers.resize_legacy` has it."""
    scale = tf.cast(source, tf.float32) / tf.cast(size, tf.float32)
    if corner:
        return tf.cast(tf.range(start, stop), tf.float32) * scale
    return (tf.cast(tf.range(start, stop), tf.float32) + 0.5) * scale - 0.5


def _span(start, stop, size, source, corner=False):
    """(first, last + 1) rows of `source` that rows [start, stop) are interpolated from."""
    ends = _positions(start, stop, size, source, corner)
    ends = tf.cast(tf.floor(tf.stack([ends[0], ends[-1]])), tf.int32)
    return tf.clip_by_value(ends[0], 0, source - 1), tf.clip_by_value(ends[1] + 2, 1, source)


def _rows(maps, first, source, size, start, stop, zero_border=False, corner=False):
    """Rows [start, stop) of a bilinear resizing from `source` to `size` rows.

    `maps` has the source's rows from `first` on. Beyond the source lies its last row, or zeros.
    """
    positions = _positions(start, stop, size, source, corner)
    below = tf.floor(positions)
    share = (positions - below)[:, None, None]
    below = tf.cast(below, tf.int32)
    ends = []
    for index in (below, below + 1):
        inside = tf.clip_by_value(index, 0, source - 1)
        rows = tf.gather(maps, inside - first, axis=1)
        if zero_border:
            rows *= tf.cast(index == inside, rows.dtype)[:, None, None]
        ends.append(rows)
    return ends[0] + (ends[1] - ends[0]) * share


def _widen(rows, width, corner=False):
    if corner:
        return resize_legacy(rows, (tf.shape(rows)[1], width))
    return tf.image.resize(rows, (tf.shape(rows)[1], width))
