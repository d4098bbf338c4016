"""From a trained model to label maps, and from label maps to published scores."""

from tfseg.evaluation.confusion import confusion_matrix, scores
from tfseg.evaluation.evaluate import Evaluator
from tfseg.evaluation.inference import Inference
from tfseg.evaluation.protocol import PROTOCOLS, Protocol

__all__ = [
    "PROTOCOLS",
    "Evaluator",
    "Inference",
    "Protocol",
    "confusion_matrix",
    "scores",
]
