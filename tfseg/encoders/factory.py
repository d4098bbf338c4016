"""Encoders by name."""

import functools

from tfseg.encoders import drn
from tfseg.encoders.drn import DRN
from tfseg.errors import unknown

# name: constructor that takes `blocks`, `output_stride` and `conv`.
ENCODERS = {name: functools.partial(DRN, name) for name in drn.VARIANTS}

_BATCH_NORM = {
    "batch_norm_epsilon": "epsilon",
    "batch_norm_momentum": "momentum",
    "sync_batch_norm": "synchronized",
    "freeze_batch_norm": "freeze",
}
_CONV = ("padding",)
OPTIONS = ("blocks", "output_stride", *_CONV, *_BATCH_NORM)


def convolution_options(options):
    """The `ConvBN` arguments among a model's options, as a dict."""
    conv = {name: options[name] for name in _CONV if name in options}
    batch_norm = {ours: options[name] for name, ours in _BATCH_NORM.items() if name in options}
    return {**conv, "batch_norm": batch_norm} if batch_norm else conv


def create_encoder(name, **options):
    """An encoder: a functional Keras model from images to a dict of features.

    Args:
        name: a key of `ENCODERS`, such as "drn_d_22".
        **options: `blocks` (blocks per stage), `output_stride`, `padding` ("symmetric" or "same"),
            `batch_norm_epsilon` (1e-5), `batch_norm_momentum` (0.9), `sync_batch_norm` (True),
            `freeze_batch_norm` ("none", "statistics", "all").

    Returns:
        An `Encoder`. Input [N, H, W, 3] normalised floats, output {"stage1": [N, h, w, c], ...};
        the last entry is the encoder's output.

    Raises:
        TfsegError: unknown name or option, or a value that the encoder doesn't have.
    """
    if name not in ENCODERS:
        raise unknown("encoder", name, ENCODERS)
    for option in options:
        if option not in OPTIONS:
            raise unknown("encoder option", option, OPTIONS)
    own = {key: options[key] for key in ("blocks", "output_stride") if key in options}
    return ENCODERS[name](**own, conv=convolution_options(options))
