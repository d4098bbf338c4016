"""The names of models: published ones, and every encoder with every decoder."""

from typing import Any

from tfseg.decoders.table import DECODERS
from tfseg.encoders.table import ENCODERS
from tfseg.errors import unknown
from tfseg.tables import Row, Table

# What kinds of models there are; the code takes a name, the number of classes, and options.
KINDS: Table[Row] = Table(
    "kind of model",
    [
        Row(name="segmenter", code="tfseg.models.factory:create_model"),
        Row(name="classifier", code="tfseg.models.factory:create_classifier"),
    ],
)

# What models compute in; weights are kept in float32.
PRECISIONS = ("float32", "bfloat16", "float16")

# published name: (encoder, decoder, options that differ from the defaults)
VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    name: (name, "linear", {}) for name, row in ENCODERS.items() if row.style.startswith("drn")
}
VARIANTS |= {
    f"{decoder}_{name.removesuffix('_caffe')}": (
        name,
        decoder,
        {"multi_grid": (1, 2, 4)[: row.blocks[-1]]} if multi_grid else {},
    )
    for decoder, multi_grid in (
        ("deeplab_v1", False),
        ("deeplab_v2", False),
        ("deeplab_v3", True),
        ("deeplab_v3plus", True),
    )
    for name, row in ENCODERS.items()
    if row.style == "caffe"
}
VARIANTS["regseg"] = ("regseg", "regseg", {})
# torchvision's own names, of the files that it releases.
VARIANTS |= {
    f"{name}_resnet{depth}": (f"resnet{depth}_v1", decoder, {})
    for name, decoder in (("fcn", "fcn"), ("deeplabv3", "deeplab_v3_refined"))
    for depth in (50, 101)
}


def list_models() -> list[str]:
    """Every name that `create_model` takes: published ones first, then encoder+decoder."""
    pairs = [f"{encoder}+{decoder}" for encoder in ENCODERS for decoder in DECODERS]
    return [*VARIANTS, *pairs]


def is_name(name: str) -> bool:
    """Whether `create_model` or `create_classifier` takes it; a model of objects has another."""
    encoder, plus, decoder = name.partition("+")
    return name in VARIANTS or (encoder in ENCODERS and (not plus or decoder in DECODERS))


def resolve(name: str) -> tuple[str, str, dict[str, Any]]:
    """(encoder, decoder, options) behind a model's name.

    Raises:
        TfsegError: no such model; the message has the nearest names.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    encoder, plus, decoder = name.partition("+")
    if plus and encoder in ENCODERS:
        return encoder, DECODERS.find(decoder).name, {}
    raise unknown("model", name, list_models())
