"""Losses: the table of them, and sums of them."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "segmentation": ["SegmentationLoss", "size_of"],
        "table": ["LOSSES", "LossRow", "check_loss", "create_terms", "parse_loss"],
        "terms": ["Loss", "PixelLoss", "Targets"],
    },
)
