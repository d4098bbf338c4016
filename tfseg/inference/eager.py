"""From images to label maps on Keras' other backends, without TensorFlow: jax and torch."""

import contextlib

import keras
import numpy as np
from keras import ops

from tfseg.errors import TfsegError
from tfseg.models.precisions import precision_of

_ACTIVATIONS = {
    "probabilities": ops.softmax,
    "log_probabilities": ops.log_softmax,
    "maximum": lambda scores: scores,
}


class EagerInference:
    """What `tfseg.inference.Inference` does, a whole map at once and outside of graphs.

    Memory grows with the image: this is for images that the network itself sees whole.

    Args:
        model, protocol: as for `Inference`.
        preprocessing: the model's `Preprocessing`.

    Attributes:
        protocol: the choices that change a score, as plain values.

    Raises:
        TfsegError: as `Inference` does, and for tiles, resizing in levels and padded scores, which
            are TensorFlow's operations.
    """

    def __init__(self, model, protocol, preprocessing):
        protocol.require_model(model)
        wanted = {
            "tile_size": protocol.tile_size,
            f"image_resizing={protocol.image_resizing}": protocol.in_levels,
            "padded_scores": protocol.padded_scores,
        }
        for name, needed in wanted.items():
            if needed:
                raise TfsegError(
                    f"{name} needs the TensorFlow backend, not {keras.backend.backend()}"
                )
        self._model = model
        self._protocol = protocol
        self._preprocessing = preprocessing
        self.protocol = {**protocol.to_dict(), "precision": precision_of(model)}

    def require_logits(self):
        """See `Protocol.require_logits`."""
        self._protocol.require_logits()

    def labels(self, images):
        """The most probable class of every pixel: uint8 [N, H, W] of images [N, H, W, channels]."""
        # As `Inference` has it: of one view alone, the maximum is where the logits have it.
        activation = "maximum" if len(self._protocol.views) == 1 else self._protocol.average
        with _without_gradients():
            scores = self._scores(images, activation)
            return ops.convert_to_numpy(ops.argmax(scores, -1)).astype(np.uint8)

    def probabilities(self, images):
        """Every pixel's class probabilities: float32 [N, H, W, C] of images as in `labels`."""
        average, count = self._protocol.average, len(self._protocol.views)
        with _without_gradients():
            scores = self._scores(images, average)
            if average != "maximum":
                scores = scores / count
            if average != "probabilities":
                scores = ops.softmax(scores)
            return ops.convert_to_numpy(scores)

    def logits(self, images):
        """The logits of the whole images as they are, float32 [N, h, w, C]."""
        with _without_gradients():
            normalized = ops.convert_to_tensor(self._preprocessing.normalize(images))
            return ops.convert_to_numpy(self._model(normalized, training=False)["logits"])

    def _scores(self, images, activation):
        """[N, H, W, C]: the joined scores of all views."""
        normalized = ops.convert_to_tensor(self._preprocessing.normalize(images))
        join = ops.maximum if self._protocol.average == "maximum" else ops.add
        total = None
        for index, mirrored in self._protocol.views:
            scores = self._view(normalized, index, mirrored, _ACTIVATIONS[activation])
            total = scores if total is None else join(total, scores)
        return total

    def _view(self, images, index, mirrored, activation):
        """[N, H, W, C]: one view's scores, at the images' size."""
        size = tuple(images.shape[1:3])
        view_size = size
        if mirrored:
            images = ops.flip(images, 2)
        if not self._protocol.keeps_size(index):
            view_size = self._protocol.sizes_of(size)[index]
            images = ops.image.resize(
                images, view_size, self._protocol.image_resizing, antialias=True
            )
        logits = self._model(images, training=False)["logits"]
        # A map of zero borders is as large as what the network saw, and only then resized.
        own = view_size if self._model.upsampling == "zero_border" else size
        scores = activation(self._model.upsample(logits, own))
        if own != size:
            scores = ops.image.resize(scores, size, "bilinear")
        return ops.flip(scores, 2) if mirrored else scores


def _without_gradients():
    """torch keeps what gradients would need of every operation, unless it is told not to."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()
