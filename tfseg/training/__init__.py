"""Training: losses, schedules, optimizer, distribution, checkpoints and the loop over them."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "callbacks": ["Callback", "Run", "TrainResult"],
        "classification": ["Classification"],
        "classify_config": ["ClassifyConfig"],
        "config": ["TrainConfig"],
        "losses": ["LOSSES", "SegmentationLoss"],
        "optimizers": ["OPTIMIZERS", "SGD", "AdamW"],
        "schedules": ["SCHEDULES", "Schedule"],
        "strategy": ["create_strategy"],
        "trackers": ["TRACKERS"],
        "trainer": ["train"],
        "weight_average": ["WeightAverage"],
    },
)
