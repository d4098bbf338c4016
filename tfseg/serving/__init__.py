"""Trained models where tfseg isn't installed: exports that say what they are and were checked."""

from tfseg.serving.card import read_card
from tfseg.serving.export import export
from tfseg.serving.to_onnx import export_onnx
from tfseg.serving.to_tflite import QUANTIZATIONS, export_tflite

__all__ = ["QUANTIZATIONS", "export", "export_onnx", "export_tflite", "read_card"]
