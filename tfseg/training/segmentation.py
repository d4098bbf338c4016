"""What the trainer has to know of what is trained: segmentation, or in `classify` another task.

A task is an object with these methods; the trainer, its strategies, checkpoints and logs are the
same for all.
"""

from absl import logging

from tfseg.errors import TfsegError
from tfseg.inference.predictor import load
from tfseg.training.losses import SegmentationLoss
from tfseg.training.plan import check_data, plan_run
from tfseg.training.samples import distributed_dataset, files_of_step
from tfseg.training.validation import Validator
from tfseg.words import counted


def load_teacher(config, plan):
    """The model that a run's distillation learns from; call it in the strategy's scope.

    Warns where it has other names for the classes.

    Raises:
        TfsegError: it can't be loaded, or sees images or classes in another way.
    """
    teacher = load(config.teacher, precision=config.precision)
    if teacher.spec.num_classes != plan.spec.num_classes:
        raise TfsegError(
            f"`teacher={config.teacher}` has {counted(teacher.spec.num_classes, 'class')}, not "
            f"{plan.spec.num_classes}"
        )
    if teacher.spec.preprocessing != plan.spec.preprocessing:
        raise TfsegError(
            f"`teacher={config.teacher}` normalises images in another way: give the run its "
            "preprocessing, or train both with the same"
        )
    if other := teacher.spec.other_class(plan.spec.classes):
        logging.warning(
            "class %d is '%s' to the teacher and '%s' in %s/info.json: are these the same?",
            *(*other, config.data_dir),
        )
    return teacher.model


class Segmentation:
    """Label maps from images.

    Attributes:
        score: the column of the log that decides which weights are the best.
    """

    score = "val_mean_iou"

    def plan(self, config):
        """The `Plan` of a run, with its files checked."""
        plan = plan_run(config)
        check_data(config, plan)
        return plan

    def columns(self, plan):
        """The columns of a validation in the log."""
        return ["val_mean_iou", "val_pixel_accuracy", *(f"val_iou/{n}" for n in plan.classes)]

    def loss(self, model, config, plan):
        """An object with `counts`, `__call__` and `teacher` as `SegmentationLoss` has them; made
        in the strategy's scope."""
        return SegmentationLoss(
            model,
            plan.spec.ignore_label,
            plan.class_weights,
            config.loss,
            load_teacher(config, plan) if config.teacher else None,
            **config.loss_options(),
        )

    def dataset(self, config, plan, strategy, step):
        """The distributed training samples from update number `step`, counted from 0, on."""
        return distributed_dataset(config, plan, strategy, step)

    def files_of_step(self, config, plan, strategy, step):
        """The names of the images of an update."""
        return files_of_step(config, plan, strategy, step)

    def validator(self, model, config, plan, strategy):
        """An object with `scores` and `panels` as `Validator` has them."""
        return Validator(model, plan, strategy)

    def describe(self, scores, best):
        """A validation in words."""
        return (
            f"val mIoU {number(scores['val_mean_iou'])}, pixel accuracy "
            f"{number(scores['val_pixel_accuracy'])}; best mIoU {number(best['val_mean_iou'])}"
        )


def number(value):
    """A score in print."""
    return "-" if value is None else f"{value:.4f}"
