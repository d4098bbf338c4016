"""Brings data sets into the form that the pipelines read: lists, index PNGs, info.json."""

from tfseg.data.prepare.convert import save_png
from tfseg.data.prepare.folders import (
    image_statistics,
    measure_folder,
    prepare_dataset,
    prepare_folder,
)
from tfseg.data.prepare.tfds import prepare_tfds, tfds_builder

__all__ = [
    "image_statistics",
    "measure_folder",
    "prepare_dataset",
    "prepare_folder",
    "prepare_tfds",
    "save_png",
    "tfds_builder",
]
