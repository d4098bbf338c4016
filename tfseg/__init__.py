"""Semantic segmentation with dilated convolutions, in TensorFlow 2 and Keras 3."""

import typing

from tfseg.lazy import lazy_names
from tfseg.startup import quiet_tensorflow, register_with_keras
from tfseg.version import __version__ as __version__

if typing.TYPE_CHECKING:
    from tfseg.encoders import create_encoder as create_encoder
    from tfseg.errors import TfsegError as TfsegError
    from tfseg.inference.predictor import load as load
    from tfseg.models import create_classifier as create_classifier
    from tfseg.models import create_model as create_model
    from tfseg.models import list_models as list_models
    from tfseg.training import TrainConfig as TrainConfig
    from tfseg.weights import load_weights as load_weights
    from tfseg.workflows import check as check
    from tfseg.workflows import evaluate as evaluate
    from tfseg.workflows import export as export
    from tfseg.workflows import predict as predict
    from tfseg.workflows import prepare as prepare
    from tfseg.workflows import train as train

# Imported at first use: processes that refine label maps do without TensorFlow.
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "errors": ["TfsegError"],
        "encoders": ["create_encoder"],
        "inference": ["load"],
        "models": ["create_classifier", "create_model", "list_models"],
        "training": ["TrainConfig"],
        "weights": ["load_weights"],
        "workflows": ["check", "evaluate", "export", "predict", "prepare", "train"],
    },
)

# At the end: what is imported here may import from `tfseg`.
quiet_tensorflow()
register_with_keras()
