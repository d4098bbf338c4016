"""Encoders by name."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfseg.encoders.table import ENCODERS
from tfseg.errors import TfsegError, unknown

if TYPE_CHECKING:
    import keras

_BATCH_NORM = {
    "batch_norm_epsilon": "epsilon",
    "batch_norm_momentum": "momentum",
    "sync_batch_norm": "synchronized",
    "freeze_batch_norm": "freeze",
}
_CONV = ("padding", "folded")
_OWN = ("blocks", "output_stride", "multi_grid", "dilation_scheme", "channels")
_SMOOTHING = ("dilated_type", "trainable_average", "gaussian_sigma", "aggregation_weights")
OPTIONS = (*_OWN, *_CONV, *_BATCH_NORM, *_SMOOTHING)
# What a decoder's convolutions take as well; folding is for whole models.
CONVOLUTION_OPTIONS = ("padding", *_BATCH_NORM)


def convolution_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The `ConvBN` arguments among a model's options, as a dict."""
    conv = {name: options[name] for name in _CONV if name in options}
    batch_norm = {ours: options[name] for name, ours in _BATCH_NORM.items() if name in options}
    return {**conv, "batch_norm": batch_norm} if batch_norm else conv


def create_encoder(name: str, **options: Any) -> "keras.Model":
    """An encoder: a functional Keras model from images to a dict of features.

    Args:
        name: a key of `ENCODERS`, such as "drn_d_22".
        **options: `blocks` (blocks per stage), `output_stride` (8, 16 or 32; DRNs have 8),
            `multi_grid` (ResNets: factors of the last stage's dilation rate, one per block),
            `dilation_scheme` (ResNets: "uniform", or "hdc", rates in turn),
            `channels` of the images (3; networks of Keras Applications have no others),
            `padding` ("symmetric" or "same"), `batch_norm_epsilon` (1e-5), `batch_norm_momentum`
            (0.9), `sync_batch_norm` (True), `freeze_batch_norm` ("none", "statistics", "all"),
            `folded` (False; True is what `tfseg.models.fold` makes).
            How dilated convolutions are smoothed, see `DilatedConv2D` and `Smoothing`:
            `dilated_type` ("regular", "decompose", "smooth_GI", "smooth_SSC", "average_filter",
            "gaussian_filter", "aggregation"), `trainable_average` (False), `gaussian_sigma`
            ("fixed", "layer", "network"), `aggregation_weights` ("raw", "softmax").

    Returns:
        An `Encoder`, or a `FeatureEncoder` of what a row of yours makes. Input [N, H, W, C]
        normalised floats, output {"stage1": [N, h, w, c], ...}; the last entry is the encoder's
        output.

    Raises:
        TfsegError: unknown name or option, or a value that the encoder doesn't have.
    """
    row = ENCODERS.find(name)
    for option in options:
        if option not in OPTIONS:
            raise unknown("encoder option", option, OPTIONS)
    own = {key: options[key] for key in _OWN if key in options}
    smoothing = {key: options[key] for key in _SMOOTHING if key in options}
    # Keras comes with the first encoder.
    from tfseg.encoders.encoder import Encoder
    from tfseg.encoders.features import FeatureEncoder, as_encoder

    conv = convolution_options(options)
    code = row.load()
    taken = inspect.signature(code).parameters
    for option in own:
        if option not in taken and not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
            raise TfsegError(f"{option} is no option of {name}")
    encoder = code(name, **own, conv=conv, smoothing=smoothing)
    if not isinstance(encoder, Encoder | FeatureEncoder):
        # Weights are found by names, and Keras would count its own on: functional_1.
        encoder.name = name
    return as_encoder(encoder)
