"""From images to label maps: views of an image, tiles, the predictor, and files in and out."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "inference": ["Inference"],
        "predictor": ["Predictor", "load"],
        "protocol": ["PROTOCOLS", "Protocol"],
    },
)
