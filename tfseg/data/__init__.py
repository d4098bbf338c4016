"""Data: folders of images and label maps, their facts, checks, and input pipelines."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "augment": ["TRANSFORMS"],
        "checks.dataset": ["check_dataset"],
        "checks.report": ["CheckReport"],
        "pipelines.distribute": ["DistributedPipeline"],
        "catalog.imagenet": ["imagenet_classes"],
        "info": ["DataInfo"],
        "labels": ["label_table"],
        "lists": ["ImageList", "read_split"],
        "pipelines.loading": ["pipeline_errors"],
        "pipelines.natural": ["NaturalShapes"],
        "pipelines.segmentation": [
            "eval_dataset",
            "sample_files",
            "train_dataset",
        ],
        "prepare": [
            "measure_folder",
            "prepare_dataset",
            "prepare_tfds",
            "tfds_builder",
        ],
        "prepare.sample": ["write_sample_dataset"],
        "shards": ["write_shards"],
        "pipelines.transforms": ["Augmentation"],
    },
)
