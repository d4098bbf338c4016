"""The one way from images to label maps: evaluation, prediction and reports all go through it."""

import functools

import tensorflow as tf

from tfseg.data.resizing import resize_image, resized_window
from tfseg.errors import TfsegError
from tfseg.inference.protocol import Protocol
from tfseg.inference.sources import Whole
from tfseg.inference.tiles import TiledMap, Tiling
from tfseg.inference.views import View, row_order, strip_height
from tfseg.models.precisions import precision_of
from tfseg.models.sizes import OutputSizes

_ACTIVATIONS = {
    "probabilities": tf.nn.softmax,
    "log_probabilities": tf.nn.log_softmax,
    "maximum": None,
}


def _label(scores):
    return tf.cast(tf.argmax(scores, -1, tf.int32), tf.uint8)


class Inference:
    """Runs a segmenter on images of any size.

    The views of a `Protocol` go through the network one after the other. What comes after, from
    the logits to the labels, is done in strips of rows. Its methods aren't compiled: a caller
    wraps them in a tf.function, which under a distribution strategy stands outside of
    `strategy.run`.

    Args:
        model: a `Segmenter`.
        protocol: a `Protocol`; default the images as they are.
        preprocessing: the model's `Preprocessing`, for uint8 RGB images; None for images that are
            normalised already.
        strips: False handles all rows at once, without a loop: for formats that have none.

    Attributes:
        model: the same.
        protocol: the choices that change a score, as plain values for metrics.json.

    Raises:
        TfsegError: a maximum over scales for a model that takes one itself, tiles too small for
            the model, tiles without strips, or a resizing of uint8 for images that are normalised.
    """

    def __init__(self, model, protocol=None, preprocessing=None, strips=True):
        self.model = model
        self._strips = strips
        self._protocol = protocol or Protocol()
        self._preprocessing = preprocessing
        self.protocol = {**self._protocol.to_dict(), "precision": precision_of(model)}
        self._protocol.require_model(model)
        self._in_levels = self._protocol.in_levels
        if self._in_levels and preprocessing is not None and not preprocessing.bands.in_levels:
            raise TfsegError(
                f"`image_resizing={self._protocol.image_resizing}` computes in 8 bits: it is for "
                f"values in 0..255, not {preprocessing.bands.describe()}"
            )
        if self._in_levels and preprocessing is None:
            raise TfsegError(
                f"`image_resizing={self._protocol.image_resizing}` is for uint8 images: it needs "
                "the model's preprocessing"
            )
        size = self._protocol.tile_size
        if size and not strips:
            raise TfsegError("`tile_size` needs a format that has loops, such as a SavedModel")
        self._tiling = Tiling(model, size) if size else None
        self._map_sizes = OutputSizes(model)

    def require_logits(self):
        """See `Protocol.require_logits`."""
        self._protocol.require_logits()

    def labels(self, images):
        """The most probable class of every pixel.

        Args:
            images: [N, H, W, channels]: with `preprocessing` the values that images have (see
                `tfseg.bands.Bands`), else normalised float32.

        Returns:
            uint8 [N, H, W].
        """
        return self._in_strips(images, self._before_labels, _label, tf.uint8)

    def strips(self, source):
        """The label map of a scene, from top to bottom.

        The same computation as `labels`, with tiles; only the network itself is compiled.

        Args:
            source: `tfseg.inference.sources.Windows`.

        Yields:
            uint8 [rows, W].

        Raises:
            TfsegError: a piece of the scene can't be read.
        """
        sources, states = self._views(source, self._before_labels)
        height, width = map(int, source.size)
        step = int(strip_height(width, self.model.num_classes, 1))
        for start in range(0, height, step):
            ends = tf.constant(start), tf.constant(min(start + step, height))
            labels, states = self._rows(sources, _label, *ends, states)
            yield labels[0].numpy()

    @property
    def _before_labels(self):
        # Neither softmax nor a resizing of one view alone would move the maximum.
        single = len(self._protocol.views) == 1
        return None if single else _ACTIVATIONS[self._protocol.average]

    @functools.cached_property
    def _compiled(self):
        """The network, for pieces that come from outside of a graph."""
        pieces = tf.TensorSpec([None, None, None, self.model.input_shape[-1]])
        return tf.function(
            lambda images: self._network(images, None, False),
            input_signature=[pieces],
            autograph=False,
        )

    def probabilities(self, images):
        """Every pixel's class probabilities: float32 [N, H, W, C] for `images` as in `labels`."""
        average, count = self._protocol.average, len(self._protocol.views)

        def finish(scores):
            if average == "probabilities":
                return scores / count
            return tf.nn.softmax(scores / count if average == "log_probabilities" else scores)

        return self._in_strips(images, _ACTIVATIONS[average], finish, tf.float32)

    def logits(self, images):
        """The logits of the whole image as it is, at the network's resolution: [N, h, w, C]."""
        return self.model(self._normalize(images), training=False)["logits"]

    def _normalize(self, images):
        if self._preprocessing is None:
            return images
        return self._preprocessing.normalize(tf.cast(images, tf.float32))

    def _in_strips(self, images, activation, finish, dtype):
        """[N, H, W, ...]: `finish` of the views' joined scores, strip by strip."""
        shape = tf.shape(images)
        batch, height, width = shape[0], shape[1], shape[2]
        sources, states = self._views(Whole(images), activation)
        rows = functools.partial(self._rows, sources, finish)
        if not self._strips:
            return rows(tf.constant(0), height, states)[0]
        step = strip_height(width, self.model.num_classes, batch)
        tail = [] if dtype == tf.uint8 else [self.model.num_classes]

        def strip(number, parts, states):
            start = number * step
            values, following = rows(start, tf.minimum(start + step, height), states)
            # TensorArrays are joined along the first axis.
            values = tf.reshape(values, [-1, width, *tail])
            return number + 1, parts.write(number, values), following

        count = (height + step - 1) // step
        parts = tf.TensorArray(dtype, count, infer_shape=False, clear_after_read=True)
        invariants = [
            tiled.shapes if tiled else tuple(x.shape for x in state)
            for (_, tiled), state in zip(sources, states, strict=True)
        ]
        scalar = tf.TensorShape([])
        _, parts, _ = tf.while_loop(
            lambda number, *_: number < count,
            strip,
            (tf.constant(0), parts, states),
            (scalar, scalar, invariants),
            parallel_iterations=1,
        )
        results = tf.gather(parts.concat(), row_order(batch, height, step))
        return tf.reshape(results, [batch, height, width, *tail])

    def _rows(self, sources, finish, start, stop, states):
        """Rows [start, stop) of `finish` of the views' joined scores, and the following states."""
        join = tf.maximum if self._protocol.average == "maximum" else tf.add
        scores, following = None, []
        for (view, tiled), state in zip(sources, states, strict=True):
            if tiled:
                state = tiled.advance(state, *view.needs(start, stop))
            one = view.strip(state[0], state[1], start, stop)
            scores = one if scores is None else join(scores, one)
            following.append(state)
        return finish(scores), following

    def _views(self, source, activation):
        """([(`View`, `TiledMap` or None)], [state]): each view's logits, whole or to be made."""
        size = source.size
        image_size = (size[0], size[1])
        sizes = self._protocol.sizes(size)
        sources, states = [], []
        for index, mirrored in self._protocol.views:
            same = self._protocol.keeps_size(index)
            view_size = image_size if same else (sizes[index][0], sizes[index][1])
            if self._tiling is None:
                # One after the other: all at once would take the memory of all.
                with tf.control_dependencies([states[-1][0]] if states else []):
                    logits = self._network(source.images, None if same else view_size, mirrored)
                tiled, state = None, (logits, tf.constant(0))
                map_size = tf.shape(logits)[1:3]
            else:
                map_size = self._map_sizes(view_size)["logits"]
                tiled = self._tiled(source, view_size, map_size, same, mirrored)
                state = tiled.start()
            map_size = (map_size[0], map_size[1])
            view = View(
                self.model,
                image_size,
                view_size,
                map_size,
                same,
                mirrored,
                activation,
                padded=self._protocol.padded_scores,
            )
            sources.append((view, tiled))
            states.append(state)
        return sources, states

    def _network(self, images, size, mirrored):
        if mirrored:
            images = images[:, :, ::-1]
        method = self._protocol.image_resizing
        if size is not None and self._in_levels:
            images = resized_window(images, size, (0, size[0], 0, size[1]), method)
        images = self._normalize(images)
        if size is not None and not self._in_levels:
            images = resize_image(images, size, method)
        return self.model(images, training=False)["logits"]

    def _tiled(self, source, view_size, map_size, same, mirrored):
        def network(top, bottom, left, right):
            if mirrored:
                left, right = view_size[1] - right, view_size[1] - left
            window = (top, bottom, left, right)
            piece = (
                tf.cast(source.window(*window), tf.float32)
                if same
                else source.resized(view_size, window, self._protocol.image_resizing)
            )
            if source.in_graph:
                return self._network(piece, None, mirrored)
            return self._compiled(piece[:, :, ::-1] if mirrored else piece)

        classes = self.model.num_classes
        return TiledMap(self._tiling, network, view_size, map_size, source.batch, classes)
