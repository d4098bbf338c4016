"""Semantic segmentation with dilated convolutions, in TensorFlow 2 and Keras 3."""

import importlib

__version__ = "0.1.0"

_MODULES = {
    "TfsegError": "errors",
    "create_classifier": "models",
    "create_encoder": "encoders",
    "create_model": "models",
    "export": "serving",
    "list_models": "models",
    "load": "predictor",
    "load_weights": "weights",
}
__all__ = list(_MODULES)


def __getattr__(name):
    # Imported at first use (PEP 562): processes that refine label maps do without TensorFlow.
    if name not in _MODULES:
        raise AttributeError(f"module 'tfseg' has no attribute '{name}'")
    return getattr(importlib.import_module(f"tfseg.{_MODULES[name]}"), name)


def __dir__():
    return sorted([*globals(), *__all__])
