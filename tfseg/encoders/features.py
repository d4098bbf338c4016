"""Any Keras model as an encoder."""

from typing import Any

import keras

from tfseg.encoders.encoder import Encoder
from tfseg.encoders.positions import PROBE
from tfseg.errors import TfsegError


@keras.saving.register_keras_serializable("tfseg")
class FeatureEncoder(keras.Model):
    """A Keras model with a dict of feature maps, with what decoders ask of an `Encoder`.

    Its weights keep their paths.

    Args:
        model: a Keras model from images [N, H, W, C] of any size to {name: [N, h, w, c]}. Its
            features are taken from fine to coarse.

    Attributes:
        strides, pyramid, output_stride, variant: see `Encoder`. The pyramid has the last four
            features; where there are fewer, the coarsest stands for the others.

    Raises:
        TfsegError: it is no such model.
    """

    def __init__(self, model: keras.Model, **kwargs: Any):
        strides = _strides(model)
        images = keras.Input(model.input_shape[1:], name="images")
        features = model(images)
        names = sorted(strides, key=lambda name: strides[name])
        super().__init__(images, {name: features[name] for name in names}, name="encoder")
        self.model = model
        self.strides = {name: strides[name] for name in names}
        self.pyramid = (*names[-4:], *names[-1:] * (4 - len(names)))
        self.output_stride = strides[names[-1]]
        self.variant: str | None = None

    def get_config(self) -> dict:
        return {"model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "FeatureEncoder":
        return cls(keras.saving.deserialize_keras_object(config["model"], custom_objects))


def as_encoder(model: keras.Model) -> keras.Model:
    """An `Encoder` as it is; any other Keras model as a `FeatureEncoder`.

    Raises:
        TfsegError: it is no model from images to a dict of features.
    """
    return model if isinstance(model, Encoder | FeatureEncoder) else FeatureEncoder(model)


def _strides(model: keras.Model) -> dict[str, int]:
    """{feature: input pixels per position} of a model.

    Raises:
        TfsegError: it isn't one from images of any size to a dict of maps.
    """
    shape = getattr(model, "input_shape", None)
    if not isinstance(model, keras.Model) or not isinstance(shape, tuple):
        raise TfsegError(f"`encoder` must be a built Keras model of one input, not {model}")
    if len(shape) != 4 or shape[1:3] != (None, None) or not shape[3]:
        raise TfsegError(
            "`encoder` must take images [N, H, W, C] of any size, not "
            f"{list(shape)}: give its Input the shape (None, None, 3)"
        )
    shapes, larger = (model.compute_output_shape((1, n, n, shape[3])) for n in (PROBE, 2 * PROBE))
    if not isinstance(shapes, dict) or not shapes:
        raise TfsegError(
            "`encoder` must return a dict of feature maps: {'stage1': [N, h, w, c], …}"
        )
    for name, sizes in shapes.items():
        if len(sizes) != 4 or not sizes[1] or not sizes[3]:
            raise TfsegError(f"feature {name} of the encoder must be [N, h, w, c]")
    # Convolutions without padding take rows away from maps of any size.
    steps = {name: larger[name][1] - sizes[1] for name, sizes in shapes.items()}
    return {name: max(round(PROBE / max(step, 1)), 1) for name, step in steps.items()}
