"""From label maps to published scores."""

from tfseg.evaluation.confusion import confusion_matrix, scores
from tfseg.evaluation.evaluator import Evaluator

__all__ = [
    "Evaluator",
    "confusion_matrix",
    "scores",
]
