"""Data: folders of images and label maps, their facts, checks, and input pipelines."""

from tfseg.data.check import CheckReport, check_dataset
from tfseg.data.contact_sheet import write_contact_sheet
from tfseg.data.distribute import DistributedPipeline
from tfseg.data.imagenet import imagenet_classes
from tfseg.data.info import DataInfo
from tfseg.data.labels import label_table
from tfseg.data.lists import ImageList, read_split
from tfseg.data.loading import pipeline_errors
from tfseg.data.natural import NaturalShapes
from tfseg.data.pipeline import (
    eval_dataset,
    predict_dataset,
    sample_files,
    train_dataset,
)
from tfseg.data.prepare import (
    measure_folder,
    prepare_dataset,
    prepare_folder,
    prepare_tfds,
    tfds_builder,
)
from tfseg.data.sample import write_sample_dataset
from tfseg.data.shards import write_shards
from tfseg.data.transforms import Augmentation

__all__ = [
    "Augmentation",
    "CheckReport",
    "DataInfo",
    "DistributedPipeline",
    "ImageList",
    "NaturalShapes",
    "check_dataset",
    "eval_dataset",
    "imagenet_classes",
    "label_table",
    "measure_folder",
    "pipeline_errors",
    "predict_dataset",
    "prepare_dataset",
    "prepare_folder",
    "prepare_tfds",
    "read_split",
    "sample_files",
    "tfds_builder",
    "train_dataset",
    "write_contact_sheet",
    "write_sample_dataset",
    "write_shards",
]
