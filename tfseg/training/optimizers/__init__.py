"""Optimizers: the table of them, and their code."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "adamw": ["AdamW"],
        "base": ["Optimizer"],
        "sgd": ["SGD"],
        "table": ["OPTIMIZERS", "OptimizerRow", "create_optimizer"],
    },
)
