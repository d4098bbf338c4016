"""From label maps to published scores."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "confusion": ["confusion_matrix", "scores"],
        "evaluator": ["Evaluator"],
    },
)
