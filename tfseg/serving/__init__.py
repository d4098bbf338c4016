"""Trained models where tfseg isn't installed: exports that say what they are and were checked."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "card": ["read_card"],
        "formats": ["EXPORT_FORMATS"],
        "to_onnx": ["export_onnx"],
        "to_saved_model": ["export"],
        "to_tflite": ["QUANTIZATIONS", "export_tflite"],
    },
)
