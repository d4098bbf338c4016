"""Models by name: the published ones, and every encoder with every decoder."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from tfseg.checks import require_number
from tfseg.decoders.table import DECODERS, DecoderRow
from tfseg.encoders.factory import CONVOLUTION_OPTIONS, convolution_options, create_encoder
from tfseg.encoders.factory import OPTIONS as ENCODER_OPTIONS
from tfseg.encoders.features import as_encoder
from tfseg.encoders.table import ENCODERS
from tfseg.errors import TfsegError, unknown
from tfseg.models.classifier import Classifier
from tfseg.models.multi_scale import check_scales
from tfseg.models.segmenter import Segmenter
from tfseg.models.spec import ModelSpec
from tfseg.models.table import resolve
from tfseg.words import counted


def create_model(
    name: str | None = None,
    num_classes: int | None = None,
    *,
    encoder: str | keras.Model | None = None,
    decoder: str | keras.layers.Layer | None = None,
    **options: Any,
) -> Segmenter:
    """A segmenter with fresh weights.

    Args:
        name: a published name such as "drn_d_22", or "encoder+decoder".
        num_classes: how many classes, 1..256.
        encoder, decoder: in place of `name`; each a name or an object. An encoder is any Keras
            model from images [N, H, W, C] of any size to a dict of feature maps, with the weights
            that it has; a decoder any layer from that dict to {"logits": [N, h, w,
            num_classes]}, and "aux_logits" where `aux_loss_weight` is given.
        **options: see `create_encoder`; decoders add their own (`atrous_rates`, `dropout`).
            `aux_loss_weight`: weight of the auxiliary output in the loss, for decoders that have
            one (ADE20K's 0.4, torchvision's 0.5). `multi_scale`: scales at which one network looks
            at the image, such as (1, 0.75, 0.5). `sampling`: "legacy" resizes logits, labels and
            the images of other scales as TensorFlow 1's DeepLab codes do (default "half_pixel").
            An object takes no options: those of convolutions and batch norms then are the other
            part's.

    Returns:
        A `Segmenter`.

    Raises:
        TfsegError: unknown name or option, or a bad value or object.
    """
    if isinstance(encoder, str) and isinstance(decoder, str) and name is None:
        name, encoder, decoder = f"{encoder}+{decoder}", None, None
    if name is None and (encoder is None or decoder is None):
        raise TfsegError("a model is a name, or an encoder and a decoder")
    if name is not None and (encoder is not None or decoder is not None):
        raise TfsegError(f"a model is a name, or an encoder and a decoder, not both: {name}")
    classes = _whole_classes(num_classes, MAX_CLASSES)
    defaults: dict[str, Any] = {}
    if name is not None:
        encoder, decoder, defaults = resolve(name)
    row = DECODERS.find(decoder) if isinstance(decoder, str) else DecoderRow(name="", code=decoder)
    name = name or f"{_name(encoder)}+{_name(decoder)}"
    loss_weights = _check_all(name, encoder, row, options)
    if row.output_stride and isinstance(encoder, str) and ENCODERS.find(encoder).strided:
        defaults = {"output_stride": row.output_stride, **defaults}
    values = {**defaults, **options}
    encoder = _encoder(encoder, values)
    spec = ModelSpec(name, classes, options, preprocessing=None)
    scales = options.get("multi_scale")
    return Segmenter(
        encoder,
        _decoder(decoder, row, encoder, classes, values),
        spec,
        _upsampling(row, options),
        row.loss_resolution,
        loss_weights,
        None if scales is None else check_scales(scales),
    )


def _name(part: Any) -> str:
    return part if isinstance(part, str) else getattr(part, "name", type(part).__name__)


def _check_all(
    name: str, encoder: Any, row: DecoderRow, options: Mapping[str, Any]
) -> dict[str, float]:
    """The weights of the losses; `row` is the decoder's, nameless for an object.

    Raises:
        TfsegError: an option that this model hasn't got, or a bad value of one of the decoder.
    """
    own = ENCODER_OPTIONS if isinstance(encoder, str) else CONVOLUTION_OPTIONS
    loss_weights = dict(row.loss_weights)
    auxiliary = ("aux_loss_weight",) if not row.name or "aux_logits" in loss_weights else ()
    _check_decoder_options(options, row.name, name)
    _check_options(options, (*own, *row.options, *auxiliary, "multi_scale", "sampling"), name)
    if "aux_loss_weight" in options:
        require_number("aux_loss_weight", options["aux_loss_weight"], 0)
        loss_weights["aux_logits"] = float(options["aux_loss_weight"])
    if "dropout" in options:
        require_number("dropout", options["dropout"], 0, below=1)
    return loss_weights


def _upsampling(row: DecoderRow, options: Mapping[str, Any]) -> str:
    sampling = options.get("sampling", SAMPLINGS[0])
    if sampling not in SAMPLINGS:
        raise unknown("sampling", sampling, SAMPLINGS)
    if sampling == "legacy" and row.upsampling != "bilinear":
        raise TfsegError("sampling=legacy is for decoders whose logits are resized bilinearly")
    return "legacy" if sampling == "legacy" else row.upsampling


def _encoder(encoder: str | keras.Model, values: dict[str, Any]) -> Any:
    if isinstance(encoder, str):
        own = {key: value for key, value in values.items() if key in ENCODER_OPTIONS}
        return create_encoder(encoder, **own)
    return as_encoder(encoder)


def _decoder(
    decoder: Any, row: DecoderRow, encoder: Any, num_classes: int, values: dict[str, Any]
) -> keras.layers.Layer:
    if not isinstance(decoder, str):
        classes = getattr(decoder, "num_classes", num_classes)
        if not isinstance(decoder, keras.layers.Layer) or classes != num_classes:
            raise TfsegError(f"`decoder` must be a Keras layer for {counted(num_classes, 'class')}")
        return decoder
    own = {**row.fixed, **(row.at_stride_8 if encoder.output_stride == 8 else {})}
    own |= {key: values[key] for key in row.options if key in values}
    conv = convolution_options(values)
    levels = encoder.pyramid
    return row.load()(num_classes, levels, **own, conv=conv, name="decoder")


def create_classifier(name: str, num_classes: int = 1000, **options: Any) -> Classifier:
    """An image classifier with fresh weights.

    Args:
        name: an encoder's name, such as "drn_d_22".
        num_classes: how many classes, 1..32768.
        **options: see `create_encoder`.

    Returns:
        A `Classifier`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    if name not in ENCODERS:
        raise unknown("classifier", name, ENCODERS)
    classes = _whole_classes(num_classes, MOST_CLASSIFIED)
    _check_options(options, ENCODER_OPTIONS, name)
    spec = ModelSpec(name, classes, options, preprocessing=None, kind="classifier")
    return Classifier(create_encoder(name, **options), spec)


SAMPLINGS = ("half_pixel", "legacy")

# A label map has 8 bits, of which one value is usually the ignore label.
MAX_CLASSES = 256
# ImageNet has 21,843; a file can't ask for a head of gigabytes.
MOST_CLASSIFIED = 1 << 15


def _whole_classes(num_classes: Any, most: int) -> int:
    require_number("num_classes", num_classes, 1, most, whole=True)
    return int(num_classes)


def _check_decoder_options(options: Mapping[str, Any], decoder: str, name: str) -> None:
    """Says whose an option is that only other decoders have."""
    for option in options:
        owners = [other for other, row in DECODERS.items() if option in row.options]
        if owners and decoder not in owners:
            raise TfsegError(
                f"{option} is an option of the decoders {', '.join(owners)}; {name} has {decoder}"
            )


def _check_options(options: Mapping[str, Any], allowed: Iterable[str], name: str) -> None:
    for option in options:
        if option not in allowed:
            raise unknown(f"option of {name}", option, sorted(allowed))
