"""Weights: reading, naming, and strict assignment."""

from tfseg.weights.assign import Report, assign
from tfseg.weights.load import load_weights
from tfseg.weights.own import BEST_WEIGHTS, MODEL_CARD, save_weights

__all__ = ["BEST_WEIGHTS", "MODEL_CARD", "Report", "assign", "load_weights", "save_weights"]
