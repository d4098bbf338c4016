"""Trained models where tfseg isn't installed: exports that say what they are and were checked."""

from tfseg.serving.export import export

__all__ = ["export"]
