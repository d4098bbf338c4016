"""Training: losses, schedules, optimizer, distribution, checkpoints and the loop over them."""

from tfseg.training.classify import Classification, ClassifyConfig
from tfseg.training.config import TrainConfig
from tfseg.training.losses import SegmentationLoss
from tfseg.training.optimizer import SGD, WeightAverage
from tfseg.training.schedules import Schedule
from tfseg.training.strategy import create_strategy
from tfseg.training.trainer import TrainResult, train

__all__ = [
    "SGD",
    "Classification",
    "ClassifyConfig",
    "Schedule",
    "SegmentationLoss",
    "TrainConfig",
    "TrainResult",
    "WeightAverage",
    "create_strategy",
    "train",
]
