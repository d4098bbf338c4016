"""Transforms: what training does to a sample after it has been cut from its image."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "chain": ["Chain"],
        "table": ["TRANSFORMS", "TransformRow", "load_transforms", "parse_transforms"],
    },
)
