"""Models by name: the published ones, and every encoder with every decoder."""

import dataclasses

from tfseg.decoders import Linear
from tfseg.encoders import ENCODERS, create_encoder, drn
from tfseg.encoders.factory import OPTIONS as ENCODER_OPTIONS
from tfseg.errors import TfsegError, unknown
from tfseg.models.classifier import Classifier
from tfseg.models.segmenter import Segmenter


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A row of the decoders' table.

    Attributes:
        layer: the layer class; called with `num_classes` and the options in `options`.
        options: names of `create_model` options that the layer takes.
        upsampling, loss_resolution, loss_weights: see `Segmenter`.
    """

    layer: type
    options: tuple = ()
    upsampling: str = "bilinear"
    loss_resolution: str = "logits"
    loss_weights: dict = dataclasses.field(default_factory=lambda: {"logits": 1.0})


DECODERS = {
    "linear": Decoder(Linear, upsampling="zero_border", loss_resolution="labels"),
}

# published name: (encoder, decoder, options that differ from the defaults)
VARIANTS = {name: (name, "linear", {}) for name in drn.VARIANTS}


def list_models():
    """Every name that `create_model` takes: published ones first, then encoder+decoder."""
    pairs = [f"{encoder}+{decoder}" for encoder in ENCODERS for decoder in DECODERS]
    return [*VARIANTS, *pairs]


def resolve(name):
    """(encoder, decoder, options) behind a model's name.

    Raises:
        TfsegError: no such model; the message has the nearest names.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    encoder, plus, decoder = name.partition("+")
    if plus and encoder in ENCODERS and decoder in DECODERS:
        return encoder, decoder, {}
    if plus and encoder in ENCODERS:
        raise unknown("decoder", decoder, DECODERS)
    raise unknown("model", name, list_models())


def create_model(name, num_classes, **options):
    """A segmenter with fresh weights.

    Args:
        name: a published name such as "drn_d_22", or "encoder+decoder".
        num_classes: how many classes, at least 1.
        **options: see `create_encoder`; decoders add their own.

    Returns:
        A `Segmenter`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    encoder, decoder, defaults = resolve(name)
    row = DECODERS[decoder]
    _check_classes(num_classes)
    _check_options(options, (*ENCODER_OPTIONS, *row.options), name)
    values = {**defaults, **options}
    encoder = create_encoder(encoder, **{k: v for k, v in values.items() if k in ENCODER_OPTIONS})
    own = {key: values[key] for key in row.options if key in values}
    config = {"model": name, "num_classes": int(num_classes), "options": options}
    return Segmenter(
        encoder,
        row.layer(num_classes, **own, name="decoder"),
        config,
        row.upsampling,
        row.loss_resolution,
        row.loss_weights,
    )


def create_classifier(name, num_classes=1000, **options):
    """An image classifier with fresh weights.

    Args:
        name: an encoder's name, such as "drn_d_22".
        num_classes: how many classes, at least 1.
        **options: see `create_encoder`.

    Returns:
        A `Classifier`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    if name not in ENCODERS:
        raise unknown("classifier", name, ENCODERS)
    _check_classes(num_classes)
    _check_options(options, ENCODER_OPTIONS, name)
    config = {"model": name, "num_classes": int(num_classes), "options": options}
    return Classifier(create_encoder(name, **options), config)


def _check_classes(num_classes):
    if isinstance(num_classes, bool) or num_classes != int(num_classes) or num_classes < 1:
        raise TfsegError(f"num_classes must be a whole number of at least 1, not {num_classes}")


def _check_options(options, allowed, name):
    for option in options:
        if option not in allowed:
            raise unknown(f"option of {name}", option, sorted(allowed))
