"""Decoders: from an encoder's features to class scores."""

import typing

from tfseg.decoders.table import DECODERS, DecoderRow
from tfseg.lazy import lazy_names

if typing.TYPE_CHECKING:
    from tfseg.decoders.aspp import ASPP
    from tfseg.decoders.c1 import C1
    from tfseg.decoders.decoder import Decoder
    from tfseg.decoders.deeplab import DeepLabV3, DeepLabV3Plus
    from tfseg.decoders.deeplab_v2 import DeepLabV2
    from tfseg.decoders.linear import Linear
    from tfseg.decoders.ppm import PPM, PyramidPooling
    from tfseg.decoders.supervised import Supervised
    from tfseg.decoders.upernet import UPerNet

__all__ = [
    "ASPP",
    "C1",
    "DECODERS",
    "PPM",
    "Decoder",
    "DecoderRow",
    "DeepLabV2",
    "DeepLabV3",
    "DeepLabV3Plus",
    "Linear",
    "PyramidPooling",
    "Supervised",
    "UPerNet",
]

__getattr__, __dir__, _ = lazy_names(
    __name__,
    {
        "aspp": ["ASPP"],
        "c1": ["C1"],
        "decoder": ["Decoder"],
        "deeplab": ["DeepLabV3", "DeepLabV3Plus"],
        "deeplab_v2": ["DeepLabV2"],
        "linear": ["Linear"],
        "ppm": ["PPM", "PyramidPooling"],
        "supervised": ["Supervised"],
        "upernet": ["UPerNet"],
    },
)
