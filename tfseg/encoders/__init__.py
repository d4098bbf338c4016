"""Encoders: from an image to a dict of feature maps."""

import typing

from tfseg.encoders.table import ENCODERS, EncoderRow
from tfseg.lazy import lazy_names

if typing.TYPE_CHECKING:
    from tfseg.encoders.drn import DRN
    from tfseg.encoders.encoder import Encoder
    from tfseg.encoders.factory import create_encoder
    from tfseg.encoders.keras_models import from_keras
    from tfseg.encoders.resnet import ResNet

__all__ = ["DRN", "ENCODERS", "Encoder", "EncoderRow", "ResNet", "create_encoder", "from_keras"]

__getattr__, __dir__, _ = lazy_names(
    __name__,
    {
        "drn": ["DRN"],
        "encoder": ["Encoder"],
        "factory": ["create_encoder"],
        "keras_models": ["from_keras"],
        "resnet": ["ResNet"],
    },
)
