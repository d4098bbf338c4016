"""What models are put together from: the parts that a name and options stand for."""

import math
import numbers

from tfseg.decoders.table import DECODERS
from tfseg.encoders.factory import OPTIONS as ENCODER_OPTIONS
from tfseg.encoders.factory import convolution_options, create_encoder
from tfseg.encoders.table import ENCODERS
from tfseg.errors import TfsegError, unknown
from tfseg.models.multi_scale import check_scales
from tfseg.models.table import resolve


def segmenter_parts(name, num_classes, options):
    """The arguments of a `Segmenter`, with fresh weights in its layers.

    Args:
        name, num_classes, options: see `create_model`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    encoder, decoder, defaults = resolve(name)
    row = DECODERS[decoder]
    if row.output_stride and ENCODERS[encoder].strided:
        defaults = {"output_stride": row.output_stride, **defaults}
    _check_classes(num_classes, MAX_CLASSES)
    loss_weights = dict(row.loss_weights)
    auxiliary = ("aux_loss_weight",) if "aux_logits" in loss_weights else ()
    allowed = (*ENCODER_OPTIONS, *row.options, *auxiliary, "multi_scale")
    _check_decoder_options(options, decoder, name)
    _check_options(options, allowed, name)
    if "aux_loss_weight" in options:
        loss_weights["aux_logits"] = _weight("aux_loss_weight", options["aux_loss_weight"])
    if "dropout" in options and not 0 <= _weight("dropout", options["dropout"]) < 1:
        raise TfsegError(
            f"dropout must be a share of at least 0 and below 1, not {options['dropout']}"
        )
    scales = options.get("multi_scale")
    scales = None if scales is None else check_scales(scales)
    values = {**defaults, **options}
    encoder = create_encoder(encoder, **{k: v for k, v in values.items() if k in ENCODER_OPTIONS})
    own = dict(row.at_stride_8) if encoder.output_stride == 8 else {}
    own |= {key: values[key] for key in row.options if key in values}
    decoder = row.load()(
        num_classes,
        encoder.pyramid,
        **row.fixed,
        **own,
        conv=convolution_options(values),
        name="decoder",
    )
    return {
        "encoder": encoder,
        "decoder": decoder,
        "config": {"model": name, "num_classes": int(num_classes), "options": options},
        "upsampling": row.upsampling,
        "loss_resolution": row.loss_resolution,
        "loss_weights": loss_weights,
        "scales": scales,
    }


def classifier_parts(name, num_classes, options):
    """The arguments of a `Classifier`, with fresh weights in its encoder.

    Args:
        name, num_classes, options: see `create_classifier`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    if name not in ENCODERS:
        raise unknown("classifier", name, ENCODERS)
    _check_classes(num_classes)
    _check_options(options, ENCODER_OPTIONS, name)
    config = {"model": name, "num_classes": int(num_classes), "options": options}
    return {"encoder": create_encoder(name, **options), "config": config}


# A label map has 8 bits, of which one value is usually the ignore label.
MAX_CLASSES = 256


def _check_classes(num_classes, most=None):
    whole = isinstance(num_classes, numbers.Integral) and not isinstance(num_classes, bool)
    if not whole or num_classes < 1 or (most and num_classes > most):
        span = f"in 1..{most}" if most else "of at least 1"
        raise TfsegError(f"num_classes must be a whole number {span}, not {num_classes}")


def _weight(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TfsegError(f"{name} must be a number of at least 0, not {value}")
    return float(value)


def _check_decoder_options(options, decoder, name):
    """Says whose an option is that only other decoders have."""
    for option in options:
        owners = [other for other, row in DECODERS.items() if option in row.options]
        if owners and decoder not in owners:
            raise TfsegError(
                f"{option} is an option of the decoders {', '.join(owners)}; {name} has {decoder}"
            )


def _check_options(options, allowed, name):
    for option in options:
        if option not in allowed:
            raise unknown(f"option of {name}", option, sorted(allowed))
