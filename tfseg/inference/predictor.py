"""A ready predictor: a trained model with its preprocessing, class names and palette."""

import dataclasses
import functools
import itertools
import os

import keras
import numpy as np
from PIL import Image

from tfseg import models, runs, visualize, zoo
from tfseg.bands import RGB
from tfseg.checks import require_number
from tfseg.data.image_files import opens, read_image
from tfseg.errors import TfsegError, nearest
from tfseg.inference.pretrained import save_pretrained, saved_protocol
from tfseg.inference.protocol import Protocol
from tfseg.lazy import LazyModule
from tfseg.weights import find_spec, load_weights, release_spec
from tfseg.words import counted

tf = LazyModule("tensorflow")

_LONGEST_PATH = 4096
# Height and width of the tiles of scenes, where the protocol has none.
_SCENE_TILE = 1024


def load(source, spec=None, precision="float32"):
    """Loads a trained model, ready to predict.

        seg = tfseg.load("runs/camvid")
        labels = seg.predict("street.jpg")

    Args:
        source: a run directory, a folder that `Predictor.save_pretrained` wrote, also on the hub
            as "hf://owner/name"; a segmenter's name in `tfseg.zoo`, such as "drn_d_22_cityscapes";
            or whatever else `load_weights` takes.
        spec: the `ModelSpec` that the weights belong to; default the model.json in the run
            directory, or beside the weights file, or what a .weights.h5 says itself.
        precision: the network's arithmetic: "float32", or "bfloat16" or "float16" where the
            processor has it, which is faster and rounds.

    Returns:
        A `Predictor`, with the protocol that a folder of `save_pretrained` states.

    Raises:
        TfsegError: nothing there, no weights yet, nothing that says which model they belong to, or
            weights of another model.
    """
    if zoo.is_hub(source):
        source = zoo.fetch_hub(source)
    protocol = saved_protocol(source)
    if spec is None:
        path = os.path.expanduser(os.fspath(source))
        there = os.path.exists(path) or os.path.exists(f"{path}.index")
        spec = find_spec(path) if there else _released(path)
        if spec is None:
            folder = path if os.path.isdir(path) else os.path.dirname(path)
            card = os.path.join(folder, runs.MODEL_CARD)
            raise TfsegError(f"there is no {card}: without it, {path} can't be understood")
    with models.precision(precision):
        model = spec.build_to_load()
    load_weights(model, source)
    return Predictor(spec, model, protocol)


def nothing_called(name: str) -> TfsegError:
    """The error that there are no weights of this name, with the files or releases like it."""
    folder, base = os.path.split(name.rstrip(os.sep))
    try:
        files = os.listdir(folder or ".")
    except OSError:
        files = []
    near = [os.path.join(folder, one) for one in nearest(base, files)]
    near += [] if folder else nearest(name, zoo.RELEASES)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return TfsegError(f"there is no run directory, weights file or release {name}{meant}")


def _released(name):
    """The `ModelSpec` of a segmenter from the zoo."""
    if name not in zoo.RELEASES:
        raise nothing_called(name)
    if zoo.RELEASES[name].classifier:
        raise TfsegError(
            f"{name} is an image classifier: start a training from it with `init_weights={name}` "
            "and `new_head`"
        )
    return release_spec(name)


class Predictor:
    """Label maps of images of any size. Its methods may be called from several threads.

    Args:
        spec: the `ModelSpec`.
        model: a `Segmenter` built from it, with trained weights.
        protocol: a `tfseg.inference.Protocol`; default the images as they are.
        crf: a `tfseg.inference.crf.CRF` that refines the label maps, or None.

    Attributes:
        bands: `tfseg.bands.Bands` of the images that it takes.

    Raises:
        TfsegError: as `tfseg.inference.Inference` does; under jax and torch also a protocol with
            what only TensorFlow has: see `tfseg.inference.eager`.
    """

    def __init__(self, spec, model, protocol=None, crf=None):
        self.spec = spec
        self.model = model
        self.protocol = protocol or Protocol()
        self.crf = crf
        self.bands = spec.preprocessing.bands if spec.preprocessing else RGB
        self.palette = spec.palette or visualize.default_palette(spec.num_classes)
        self._compiles = keras.backend.backend() == "tensorflow"
        if self._compiles:
            from tfseg.inference.inference import Inference

            self.inference = Inference(model, self.protocol, spec.preprocessing)
        else:
            from tfseg.inference.eager import EagerInference

            self.inference = EagerInference(model, self.protocol, spec.preprocessing)
        self._labels = self._compiled(self.inference.labels)
        self._logits = self._compiled(self.inference.logits)
        self._probabilities = self._compiled(self.inference.probabilities)

    def __repr__(self):
        names = visualize.class_names(self.spec.classes, self.spec.num_classes)
        shown = ", ".join([*names[:5], *(["…"] if len(names) > 5 else [])])
        own = dataclasses.fields(self.protocol)
        changed = [
            f"{field.name}={getattr(self.protocol, field.name)}"
            for field in own
            if getattr(self.protocol, field.name) != field.default
        ]
        parts = [
            f"{counted(len(names), 'class')}: {shown}",
            *changed,
            *(["CRF"] if self.crf else []),
        ]
        return f"<Predictor {self.spec.name}, {'; '.join(parts)}>"

    def predict(self, image):
        """The class of every pixel.

        Args:
            image: a path, a file's bytes or an open file, a PIL image, or a uint8 RGB array or
                tensor [H, W, 3], or [H, W, channels] of the values that the model takes; see
                `tfseg.data.image_files.read_image`.

        Returns:
            uint8 [H, W], class indices.
        """
        if self.crf is None:
            return self._run(self._labels, [self.read(image)])[0]
        image = self.read(image)
        return self.crf.labels(self.bands.picture(image), self.probabilities(image))

    def scene_strips(self, scene):
        """The class of every pixel of a TIFF file that is read window by window.

            with Scene("field.tif") as scene:
                for rows in predictor.scene_strips(scene):
                    …

        The network sees tiles of `protocol.tile_size`, by default 1024 pixels: memory grows with
        the tile, and with the scene's width at the network's resolution.

        Args:
            scene: a `tfseg.data.scenes.Scene`.

        Yields:
            uint8 [rows, W], from top to bottom: class indices, also where the file says that it has
            no data.

        Raises:
            TfsegError: the scene holds other pixels than the model takes or can't be read, or the
                predictor needs the whole image at once.
        """
        scene.require(self.bands)
        if self.needs_whole:
            way_out = "; `scenes=False` reads it whole" if opens(scene.size) else ""
            raise TfsegError(
                f"{scene.path} is read window by window, but {self.needs_whole} needs the whole "
                f"image{way_out}"
            )
        from tfseg.inference.sources import Windows

        try:
            yield from self._scene_inference.strips(Windows(scene, self.bands))
        except tf.errors.ResourceExhaustedError as error:
            size = self._scene_inference.protocol["tile_size"]
            smaller = max(size // 2, 3 * self.model.size_period)
            way_out = f": `tile_size={smaller}` takes less" if smaller < size else ""
            raise TfsegError(f"not enough memory for tiles of {size}x{size}{way_out}") from error

    @property
    def needs_whole(self):
        """What can't be computed from windows of an image, in words; None if all can."""
        protocol = self.protocol
        resizes = not all(protocol.keeps_size(index) for index, _ in protocol.views)
        kinds = (
            (self.crf is not None, "the dense CRF (`crf`)"),
            (protocol.short_sides, "`short_sides`"),
            (resizes and protocol.in_levels, f"`image_resizing={protocol.image_resizing}`"),
            (not self._compiles, f"the {keras.backend.backend()} backend"),
        )
        return next((words for needed, words in kinds if needed), None)

    @functools.cached_property
    def _scene_inference(self):
        from tfseg.inference.inference import Inference

        size = self.protocol.tile_size or max(_SCENE_TILE, 3 * self.model.size_period)
        protocol = dataclasses.replace(self.protocol, tile_size=size)
        return Inference(self.model, protocol, self.spec.preprocessing)

    def predict_batch(self, images, batch_size=8):
        """The label maps of several images: a list of uint8 [H, W] in their order.

        Images that follow each other with the same size go through the network together, up to
        `batch_size` at a time.

        Args:
            images: an iterable of images as in `predict`, read as they are needed.
            batch_size: at least 1.
        """
        require_number("batch_size", batch_size, 1, whole=True)
        if self.crf is not None:
            return [self.predict(image) for image in images]
        labels = []
        for _, alike in itertools.groupby(map(self.read, images), np.shape):
            while batch := list(itertools.islice(alike, batch_size)):
                labels.extend(self._run(self._labels, batch))
        return labels

    def probabilities(self, image):
        """Every pixel's class probabilities: float32 [H, W, C] of an image as in `predict`.

        Those of the network, also where a CRF refines the label maps.
        """
        return self._run(self._probabilities, [self.read(image)])[0]

    def logits(self, image):
        """The network's logits at its own resolution: float32 [h, w, C] of an image.

        Raises:
            TfsegError: the protocol has several views or tiles.
        """
        self.inference.require_logits()
        return self._run(self._logits, [self.read(image)])[0]

    def overlay(self, image, alpha=0.5):
        """The image with its predicted classes' colours over it: uint8 RGB [H, W, 3].

        `alpha` is the opacity of the colours, 0..1.
        """
        image = self.read(image)
        picture = self.bands.picture(image)
        return visualize.overlay(picture, self.predict(image), self.palette, alpha)

    def save_pretrained(self, folder, metrics=None):
        """Writes config.json, model.safetensors and README.md, to be given away or put on a hub.

            predictor.save_pretrained("mine", metrics="runs/mine/eval/val/metrics.json")
            predictor = tfseg.load("mine")

        See `tfseg.inference.pretrained.save_pretrained`.
        """
        save_pretrained(self, folder, metrics)

    def read(self, image):
        """An image as in `predict`, as an array [H, W, channels] of what the model takes.

        Raises:
            TfsegError: it can't be read, or holds other channels or numbers.
        """
        return _read(image, self.bands)

    def _compiled(self, function):
        if not self._compiles:
            return function
        # uint8 goes to the device, and uint8 comes back: a fourth of the traffic of float32.
        images = tf.TensorSpec([None, None, None, self.bands.channels], self.bands.dtype)
        return tf.function(function, input_signature=[images], autograph=False)

    def _run(self, function, images):
        # One image, which may be huge, isn't copied to be stacked.
        batch = np.stack(images) if len(images) > 1 else images[0][None]
        if not self._compiles:
            return function(batch)
        try:
            return function(tf.constant(batch)).numpy()
        except tf.errors.ResourceExhaustedError as error:
            height, width = images[0].shape[:2]
            raise TfsegError(f"not enough memory for an image of {width}x{height}") from error


def _read(image, bands):
    """`read_image` of whatever holds an image; no message shows what it holds."""
    if isinstance(image, bytearray | memoryview):
        image = bytes(image)
    elif hasattr(image, "read"):
        image = image.read()
        if not isinstance(image, bytes):
            raise TfsegError("an image's file must be opened in binary mode")
    elif isinstance(image, str | os.PathLike):
        if len(os.fspath(image)) > _LONGEST_PATH:
            raise TfsegError("an image's path is too long: the content of a file goes in as bytes")
    elif not isinstance(image, bytes | np.ndarray | Image.Image):
        if not hasattr(image, "__array__"):
            kind = type(image).__name__
            raise TfsegError(
                f"an image is a path, bytes, a file, a PIL image or an array, not a value of {kind}"
            )
        image = np.asarray(image)
    return read_image(image, bands=bands)
