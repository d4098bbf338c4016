"""Decoders: from an encoder's features to class scores."""

from tfseg.decoders.linear import Linear

__all__ = ["Linear"]
