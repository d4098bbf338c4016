"""Encoders: from an image to a dict of feature maps."""

from tfseg.encoders.drn import DRN
from tfseg.encoders.encoder import Encoder
from tfseg.encoders.factory import ENCODERS, create_encoder

__all__ = ["DRN", "ENCODERS", "Encoder", "create_encoder"]
