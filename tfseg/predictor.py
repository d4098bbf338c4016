"""A ready predictor: a trained model with its preprocessing, class names and palette."""

import os

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

from tfseg import visualize, zoo
from tfseg.errors import TfsegError
from tfseg.evaluation.inference import Inference
from tfseg.models import ModelSpec
from tfseg.weights import MODEL_CARD, load_weights


def load(source, spec=None):
    """Loads a trained model, ready to predict.

        seg = tfseg.load("runs/camvid")
        labels = seg.predict("street.jpg")

    Args:
        source: a run directory, a segmenter's name in `tfseg.zoo`, such as "drn_d_22_cityscapes",
            or whatever else `load_weights` takes.
        spec: the `ModelSpec` that the weights belong to; default the model.json in the run
            directory, or beside the weights file.

    Returns:
        A `Predictor`.

    Raises:
        TfsegError: nothing there, no weights yet, no model.json, or weights of another model.
    """
    if spec is None:
        path = os.path.expanduser(os.fspath(source))
        if not os.path.exists(path):
            source = path = _prepare(path)
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        card = os.path.join(folder, MODEL_CARD)
        if not os.path.isfile(card):
            raise TfsegError(f"there is no {card}: without it, {path} can't be understood")
        spec = ModelSpec.load(card)
    model = spec.build()
    load_weights(model, source)
    return Predictor(spec, model)


def _prepare(name):
    """The path of a segmenter from the zoo."""
    if name not in zoo.RELEASES:
        raise TfsegError(
            f"there is no run directory or weights file {name}, and no release of that name in "
            "tfseg.zoo"
        )
    if zoo.RELEASES[name].classifier:
        raise TfsegError(
            f"{name} is an image classifier: start a training from it with --init_weights={name} "
            "--new_head"
        )
    return zoo.prepare(name)


def read_image(source):
    """An image as people see it.

    Photos are turned upright as their EXIF orientation says. Training and evaluation do not turn
    images, because label maps lie on the pixels as stored.

    Args:
        source: a path, a PIL image, or a uint8 RGB array [H, W, 3] (returned as it is).

    Returns:
        uint8 RGB [H, W, 3]; grey is repeated, transparency dropped, 16 bits become 8.

    Raises:
        TfsegError: the file is missing or isn't an image, or the array isn't uint8 [H, W, 3].
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            raise TfsegError(
                "an image array must be uint8 [height, width, 3] in RGB order, "
                f"not {source.dtype} {list(source.shape)}"
            )
        return source
    if isinstance(source, Image.Image):
        return _upright(source)
    path = os.fspath(source)
    try:
        with Image.open(path) as image:
            return _upright(image)
    except UnidentifiedImageError as error:
        raise TfsegError(f"{path} is not an image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # A truncated or damaged file raises any of these, depending on its format.
        reason = getattr(error, "strerror", None) or error
        raise TfsegError(f"can't read image {path}: {reason}") from error


def _upright(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # PIL would clip 16 bits to 255 instead of scaling them.
        grey = np.clip(np.asarray(image, np.int32) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(image.convert("RGB"))


class Predictor:
    """Label maps of images of any size. Its methods may be called from several threads.

    Args:
        spec: the `ModelSpec`.
        model: a `Segmenter` built from it, with trained weights.
        protocol: a `tfseg.evaluation.Protocol`; default the images as they are.
        crf: a `tfseg.evaluation.crf.CRF` that refines the label maps, or None.
    """

    def __init__(self, spec, model, protocol=None, crf=None):
        self.spec = spec
        self.model = model
        self.crf = crf
        self.palette = spec.palette or visualize.default_palette(spec.num_classes)
        self.inference = Inference(model, protocol, spec.preprocessing)
        # uint8 goes to the device, and uint8 comes back: a fourth of the traffic of float32.
        images = tf.TensorSpec([1, None, None, 3], tf.uint8)
        self._labels = tf.function(self.inference.labels, input_signature=[images])
        self._logits = tf.function(self.inference.logits, input_signature=[images])
        self._probabilities = tf.function(self.inference.probabilities, input_signature=[images])

    def predict(self, image):
        """The class of every pixel.

        Args:
            image: a path, a PIL image, or a uint8 RGB array [H, W, 3]; see `read_image`.

        Returns:
            uint8 [H, W], class indices.
        """
        if self.crf is None:
            return self._run(self._labels, image)
        image = read_image(image)
        return self.crf.labels(image, self.probabilities(image))

    def probabilities(self, image):
        """Every pixel's class probabilities: float32 [H, W, C] of an image as in `predict`.

        Those of the network, also where a CRF refines the label maps.
        """
        return self._run(self._probabilities, image)

    def logits(self, image):
        """The network's logits at its own resolution: float32 [h, w, C] of an image.

        Raises:
            TfsegError: the protocol has several views or tiles.
        """
        self.inference.require_logits()
        return self._run(self._logits, image)

    def overlay(self, image, alpha=0.5):
        """The image with its predicted classes' colours over it: uint8 RGB [H, W, 3].

        `alpha` is the opacity of the colours, 0..1.
        """
        image = read_image(image)
        return visualize.overlay(image, self.predict(image), self.palette, alpha)

    def _run(self, function, image):
        image = read_image(image)
        try:
            return function(tf.constant(image[None])).numpy()[0]
        except tf.errors.ResourceExhaustedError as error:
            height, width = image.shape[:2]
            raise TfsegError(f"not enough memory for an image of {width}x{height}") from error
