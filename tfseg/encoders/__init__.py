"""Encoders: from an image to a dict of feature maps."""

from tfseg.encoders.drn import DRN
from tfseg.encoders.encoder import Encoder
from tfseg.encoders.factory import ENCODERS, create_encoder
from tfseg.encoders.resnet import ResNet

__all__ = ["DRN", "ENCODERS", "Encoder", "ResNet", "create_encoder"]
