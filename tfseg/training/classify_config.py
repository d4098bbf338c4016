"""Everything that a classifier's training run is told."""

import dataclasses
from typing import Any

from tfseg.data.augment import TRANSFORMS, parse_transforms
from tfseg.errors import TfsegError
from tfseg.training.config import TrainConfig, option
from tfseg.training.losses import LOSSES, parse_loss

# Settings of segmentation that have no meaning here.
_UNUSED = (
    *("num_classes", "short_sides", "max_long_side", "size_divisor", "random_scale"),
    *("scale_choices", "scale_filter", "pad_place", "fill"),
    *("random_rotate", "class_crops", "class_weights", "loss_average", "cache"),
    # Options of losses over maps.
    *("teacher", "temperature", "tversky_alpha", "tversky_beta", "boundary_weight"),
    *("boundary_width", "ohem_fraction"),
)


def _default(name, value):
    """A setting of segmentation with another default."""
    return option(value, **TrainConfig.__dataclass_fields__[name].metadata)


def _classifies(row):
    return row.classifies


@dataclasses.dataclass(frozen=True)
class ClassifyConfig(TrainConfig):
    """The settings of a classifier's run: those of the DRN paper's training, unless told.

    Raises:
        TfsegError: a value that is out of range; the message names the field.
    """

    data_dir: str = option("", "Folder with train/CLASS/*.jpg and val/CLASS/*.jpg.")
    crop_size: tuple = option((224,), "Height,width of the network's input, or one number.")
    resize: int = option(256, "In tests: length that the short side has before the crop.")
    color_jitter: float = option(
        0.4, "Range of the factors of brightness, contrast and saturation: 1 -/+ this; 0..1."
    )
    epochs: float = option(
        0.0, "Passes over the training images; 120 without `steps` or `minutes`."
    )
    batch_size: int = _default("batch_size", 256)
    learning_rate: float = _default("learning_rate", 0.1)
    lr_schedule: str = _default("lr_schedule", "step")
    lr_step_size: float = _default("lr_step_size", 30.0)
    loss: Any = option("cross_entropy", f"The loss. {LOSSES.help(_classifies)}.", table=LOSSES)
    transforms: Any = option(
        "",
        "What is done to the samples, in order, each with its strength, such as grey:0.2,blur. "
        f"{TRANSFORMS.help(_classifies)}.",
        table=TRANSFORMS,
    )
    lr_update_every: str = _default("lr_update_every", "epoch")

    def __post_init__(self, padding_constant):
        if not self.steps and not self.epochs and not self.minutes:
            object.__setattr__(self, "epochs", 120.0)
        super().__post_init__(padding_constant)
        for name in _UNUSED:
            if getattr(self, name) != getattr(TrainConfig, name):
                raise TfsegError(f"`{name}` is for segmentation: classifiers don't have it")
        for loss, _ in parse_loss(self.loss):
            if not loss.classifies:
                right = [row.name for row in LOSSES.values() if row.classifies]
                raise TfsegError(
                    f"the loss {loss.name} is over maps: classifiers have {' and '.join(right)}"
                )
        for row, _ in parse_transforms(self.transforms):
            if not row.classifies:
                raise TfsegError(f"the transform {row.name} isn't for classifiers")
        if not 0 <= self.color_jitter <= 1:
            raise TfsegError(f"`color_jitter` must be in 0..1, not {self.color_jitter}")
        if self.resize < max(self.crop_size):
            raise TfsegError(
                f"`resize={self.resize}` is smaller than `crop_size`: nothing is left to crop"
            )

    @classmethod
    def flag_fields(cls):
        return [field for field in super().flag_fields() if field.name not in _UNUSED]
