"""Decoders: from an encoder's features to class scores."""

from tfseg.decoders.aspp import ASPP, DeepLabV2
from tfseg.decoders.c1 import C1
from tfseg.decoders.decoder import Decoder
from tfseg.decoders.deeplab import DeepLabV3, DeepLabV3Plus
from tfseg.decoders.linear import Linear
from tfseg.decoders.ppm import PPM, PyramidPooling
from tfseg.decoders.upernet import UPerNet

__all__ = [
    "ASPP",
    "C1",
    "PPM",
    "Decoder",
    "DeepLabV2",
    "DeepLabV3",
    "DeepLabV3Plus",
    "Linear",
    "PyramidPooling",
    "UPerNet",
]
