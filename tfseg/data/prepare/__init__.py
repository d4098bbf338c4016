"""Brings data sets into the form that the pipelines read: lists, index PNGs, info.json."""

from tfseg.data.prepare.convert import save_png
from tfseg.data.prepare.folders import (
    image_statistics,
    measure_folder,
    prepare_dataset,
)
from tfseg.data.prepare.source import carry_out, plan
from tfseg.data.prepare.tfds import prepare_tfds, tfds_builder

__all__ = [
    "carry_out",
    "image_statistics",
    "measure_folder",
    "plan",
    "prepare_dataset",
    "prepare_tfds",
    "save_png",
    "tfds_builder",
]
