"""From a trained model to label maps, and from label maps to published scores."""

from tfseg.evaluation.confusion import confusion_matrix, scores
from tfseg.evaluation.evaluate import Evaluator
from tfseg.evaluation.inference import Inference, Protocol

__all__ = ["Evaluator", "Inference", "Protocol", "confusion_matrix", "scores"]
