"""Semantic segmentation with dilated convolutions, in TensorFlow 2 and Keras 3."""

from tfseg.encoders import create_encoder
from tfseg.errors import TfsegError
from tfseg.models import create_classifier, create_model, list_models
from tfseg.predictor import load
from tfseg.serving import export
from tfseg.weights import load_weights

__version__ = "0.1.0"

__all__ = [
    "TfsegError",
    "create_classifier",
    "create_encoder",
    "create_model",
    "export",
    "list_models",
    "load",
    "load_weights",
]
