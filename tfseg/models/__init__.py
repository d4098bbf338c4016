"""Models: the variants table, segmenters, classifiers, and what travels with them."""

from tfseg.models.classifier import Classifier
from tfseg.models.factory import create_classifier, create_model, list_models
from tfseg.models.folding import fold
from tfseg.models.precision import PRECISIONS, precision
from tfseg.models.preprocessing import PREPROCESSINGS, Preprocessing
from tfseg.models.segmenter import Segmenter
from tfseg.models.spec import ModelSpec

__all__ = [
    "PRECISIONS",
    "PREPROCESSINGS",
    "Classifier",
    "ModelSpec",
    "Preprocessing",
    "Segmenter",
    "create_classifier",
    "create_model",
    "fold",
    "list_models",
    "precision",
]
