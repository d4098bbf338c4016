"""Models: their names, segmenters, classifiers, and what travels with them."""

import typing

from tfseg.lazy import lazy_names
from tfseg.models.preprocessing import PREPROCESSINGS, Preprocessing
from tfseg.models.spec import ModelSpec
from tfseg.models.table import PRECISIONS, list_models

if typing.TYPE_CHECKING:
    from tfseg.models.classifier import Classifier
    from tfseg.models.factory import create_classifier, create_model
    from tfseg.models.folding import fold
    from tfseg.models.precisions import precision
    from tfseg.models.segmenter import Segmenter

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

__getattr__, __dir__, _ = lazy_names(
    __name__,
    {
        "classifier": ["Classifier"],
        "factory": ["create_classifier", "create_model"],
        "folding": ["fold"],
        "precisions": ["precision"],
        "segmenter": ["Segmenter"],
    },
)
