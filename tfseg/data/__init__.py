"""Data: folders of images and label maps, their facts, checks, and input pipelines."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "augment": ["TRANSFORMS"],
        "check": ["CheckReport", "check_dataset"],
        "contact_sheet": ["write_contact_sheet"],
        "distribute": ["DistributedPipeline"],
        "imagenet": ["imagenet_classes"],
        "info": ["DataInfo"],
        "labels": ["label_table"],
        "lists": ["ImageList", "read_split"],
        "loading": ["pipeline_errors"],
        "natural": ["NaturalShapes"],
        "pipeline": ["eval_dataset", "predict_dataset", "sample_files", "train_dataset"],
        "prepare": [
            "measure_folder",
            "prepare_dataset",
            "prepare_folder",
            "prepare_tfds",
            "tfds_builder",
        ],
        "sample": ["write_sample_dataset"],
        "shards": ["write_shards"],
        "transforms": ["Augmentation"],
    },
)
