"""Models: the variants table, segmenters, classifiers, and what travels with them."""

from tfseg.models.preprocessing import Preprocessing
from tfseg.models.spec import ModelSpec

__all__ = ["ModelSpec", "Preprocessing"]
