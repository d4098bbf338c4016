"""Semantic segmentation with dilated convolutions, in TensorFlow 2 and Keras 3."""

import importlib
import typing

from tfseg.startup import quiet_tensorflow, register_with_keras
from tfseg.version import __version__ as __version__

if typing.TYPE_CHECKING:
    from tfseg.encoders import create_encoder
    from tfseg.errors import TfsegError
    from tfseg.inference.predictor import load
    from tfseg.models import create_classifier, create_model, list_models
    from tfseg.weights import load_weights
    from tfseg.workflows import check, evaluate, export, predict, prepare, train

__all__ = [
    "TfsegError",
    "check",
    "create_classifier",
    "create_encoder",
    "create_model",
    "evaluate",
    "export",
    "list_models",
    "load",
    "load_weights",
    "predict",
    "prepare",
    "train",
]
_HOMES = {
    "TfsegError": "errors",
    "check": "workflows",
    "create_classifier": "models",
    "create_encoder": "encoders",
    "create_model": "models",
    "evaluate": "workflows",
    "export": "workflows",
    "list_models": "models",
    "load": "inference",
    "load_weights": "weights",
    "predict": "workflows",
    "prepare": "workflows",
    "train": "workflows",
}


def __getattr__(name):
    # Imported at first use (PEP 562): processes that refine label maps do without TensorFlow.
    if name in _HOMES:
        return getattr(importlib.import_module(f"tfseg.{_HOMES[name]}"), name)
    module = f"tfseg.{name}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise AttributeError(f"module 'tfseg' has no attribute '{name}'") from None


def __dir__():
    return sorted({*globals(), *__all__})


# At the end: what is imported here may import from `tfseg`.
quiet_tensorflow()
register_with_keras()
