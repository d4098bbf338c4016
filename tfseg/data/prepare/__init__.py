"""Brings data sets into the form that the pipelines read: lists, index PNGs, info.json."""

from tfseg.lazy import lazy_names

# Imported at first use: training weighs classes by what is here, and reads no foreign formats.
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "convert": ["save_png"],
        "folders": ["image_statistics", "measure_folder", "prepare_dataset"],
        "source": ["carry_out", "plan"],
        "tfds": ["prepare_tfds", "tfds_builder"],
    },
)
