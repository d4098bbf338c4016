"""What an exported model answers to."""

import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.inference.inference import Inference
from tfseg.inference.predictor import Predictor, load
from tfseg.models import fold
from tfseg.serving.decoding import check_size, decode


def input_of(bands):
    """What the signatures take: (channels, dtype) of images of these `Bands`.

    16-bit values are uint16, as files have them; of other ranges, numbers are float32.
    """
    if bands.value_range == (0, 65535):
        return bands.channels, tf.uint16
    return bands.channels, tf.as_dtype(bands.dtype)


def exportable(source):
    """The `Predictor` that `source` is, or that `tfseg.load` makes of it.

    Raises:
        TfsegError: it can't be loaded, or refines its label maps by a CRF, which no exported file
            can do.
    """
    predictor = source if isinstance(source, Predictor) else load(source)
    if predictor.crf:
        raise TfsegError("an export can't refine by a dense CRF: give it a predictor without crf")
    return predictor


class Answers:
    """A predictor's answers as graph functions of images, batch norm folded.

    `labels` gives uint8 [N, H, W] of images [N, H, W, channels], as `input_of` says: of a model for
    photographs uint8 RGB; `probabilities` gives float32 [N, H, W, C]; `variables` are those that
    they read.

    Args:
        predictor: a `Predictor`.
        strips: see `Inference`.
    """

    def __init__(self, predictor, strips=True):
        model = fold(predictor.model)
        self.variables = [variable.value for variable in model.variables]
        inference = Inference(model, predictor.protocol, predictor.spec.preprocessing, strips)
        self.labels = inference.labels
        self.probabilities = inference.probabilities


class Signatures(tf.Module):
    """What `tf.saved_model.save` writes: functions that refuse what they can't answer.

    That is what isn't an image, or is too large; they do so before they take memory for it.

    Args:
        predictor: a `Predictor`.
        image_size: the (height, width) that all images must have, or None for any.
        max_side: the largest height and width; the images of a request together have at most as
            many pixels as one of these in square.
    """

    def __init__(self, predictor, image_size, max_side):
        super().__init__()
        self._answers = Answers(predictor)
        self._image_size = image_size
        self._bands = predictor.bands
        self._max_side = max_side
        self.variables_of_model = self._answers.variables

    def functions(self):
        """{signature: `tf.function`}."""
        channels, dtype = input_of(self._bands)
        images = tf.TensorSpec(
            [None, *(self._image_size or (None, None)), channels], dtype, "images"
        )
        files = tf.TensorSpec([None], tf.string, "image_bytes")
        functions = {
            "serving_default": (self._labels_of_images, images),
            "probabilities": (self._probabilities_of_images, images),
        }
        if self._bands.is_photograph:
            functions["encoded"] = (self._labels_of_files, files)
        return {
            name: tf.function(function, input_signature=[spec], autograph=False)
            for name, (function, spec) in functions.items()
        }

    def _labels_of_images(self, images):
        return {"labels": self._answers.labels(self._checked(images))}

    def _probabilities_of_images(self, images):
        return {"probabilities": self._answers.probabilities(self._checked(images))}

    def _labels_of_files(self, image_bytes):
        # One after the other, so that a request takes the memory of its largest image.
        labels = tf.map_fn(self._labels_of_file, image_bytes, parallel_iterations=1)
        return {"labels_bytes": labels}

    def _labels_of_file(self, contents):
        image = decode(contents, self._image_size, self._max_side)
        labels = self._answers.labels(image[None])[0]
        return tf.io.encode_png(labels[..., None])

    def _checked(self, images):
        # What the server hands over need not have the shape that the signature states.
        images = tf.ensure_shape(images, [None, None, None, self._bands.channels])
        shape = tf.shape(images, tf.int64)
        largest = self._max_side**2
        few = tf.debugging.Assert(
            (shape[0] >= 1) & (tf.reduce_prod(shape[:3]) <= largest),
            [f"a request must have one image or more, of {largest} pixels at most, not", shape],
        )
        size = check_size(shape[1:3], self._image_size, self._max_side)
        with tf.control_dependencies([few, size]):
            return tf.identity(images)
