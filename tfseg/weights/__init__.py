"""Weights: reading, naming, strict assignment, and the way back to the original names."""

from tfseg.weights.assign import Report, assign, weights_digest
from tfseg.weights.load import load_weights
from tfseg.weights.original import save_original, to_original
from tfseg.weights.own import check_weights, find_spec, save_weights
from tfseg.weights.released import release_spec

__all__ = [
    "Report",
    "assign",
    "check_weights",
    "find_spec",
    "load_weights",
    "release_spec",
    "save_original",
    "save_weights",
    "to_original",
    "weights_digest",
]
