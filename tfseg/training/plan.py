"""What a run is, from its settings and its data: lists, classes, length and model."""

import dataclasses

import keras
from absl import logging

from tfseg.data import DataInfo, ImageList, check_dataset, read_split
from tfseg.errors import TfsegError
from tfseg.models import ModelSpec, Preprocessing, precision
from tfseg.models.spec import with_channels
from tfseg.visualize import class_names
from tfseg.words import counted


@dataclasses.dataclass(frozen=True)
class Plan:
    """The facts of a run that follow from its settings and its data.

    Attributes:
        spec: `ModelSpec`, as written to model.json.
        train, val: `ImageList`; val is None without validation.
        classes: a name for each class.
        steps_per_epoch: updates in an epoch: `TrainConfig.steps_per_epoch`, or as many whole
            batches as the training list has images for, at least 1. Samples are numbered on
            without a gap, so that the images left over come first in the next.
        total_steps: updates in the whole run; None where time decides.
        class_weights: the loss's, one number per class, or empty.
        class_odds: of each class among those of an image, with `class_crops`, or empty.
    """

    spec: ModelSpec
    train: ImageList
    val: ImageList | None
    classes: list
    steps_per_epoch: int
    total_steps: int | None
    class_weights: tuple = ()
    class_odds: tuple = ()


def plan_run(config):
    """Reads the data folder's lists and facts.

    Returns:
        `Plan`.

    Raises:
        TfsegError: a list or info.json is missing or wrong, or the classes aren't known.
    """
    info = DataInfo.load(config.data_dir)
    num_classes = config.num_classes or len(info.classes or ())
    if not num_classes:
        raise TfsegError(
            f"how many classes? {config.data_dir}/info.json has no class names: give `num_classes`"
        )
    try:
        spec = _spec(config, num_classes, info)
    except TfsegError as error:
        raise TfsegError(f"{config.data_dir}/info.json: {error}") from error
    train = read_split(config.data_dir, config.train_split)
    val = read_split(config.data_dir, config.val_split) if config.val_split else None
    per_epoch, total = config.length(len(train))
    odds = ()
    if config.class_crops:
        odds = _weights_by("median_frequency", config, info, num_classes)
    return Plan(
        spec=spec,
        train=train,
        val=val,
        classes=class_names(info.classes, num_classes),
        steps_per_epoch=per_epoch,
        total_steps=total,
        class_weights=_class_weights(config, info, num_classes),
        class_odds=odds,
    )


def _spec(config, num_classes, info):
    return ModelSpec(
        config.model,
        num_classes,
        with_channels(config.model_options, info.bands),
        Preprocessing.of(info),
        classes=info.classes,
        palette=info.palette,
        ignore_label=info.ignore_label,
        label_map=info.label_map,
    )


def _class_weights(config, info, num_classes):
    """The numbers that `class_weights` gives or names."""
    (rule, *_) = config.class_weights or (None,)
    named = isinstance(rule, str)
    return _weights_by(rule, config, info, num_classes) if named else config.class_weights


def _weights_by(rule, config, info, num_classes):
    if rule not in (info.class_weights or {}):
        raise TfsegError(
            f"{config.data_dir}/info.json has no class weights '{rule}'; preparing the folder "
            "computes them from the training labels",
            remedy=("prepare", {"dataset": "folder", "data_dir": config.data_dir}),
        )
    weights = tuple(info.class_weights[rule])
    if len(weights) != num_classes:
        raise TfsegError(
            f"{config.data_dir}/info.json has {counted(len(weights), 'class weight')} '{rule}' for "
            f"{counted(num_classes, 'class')}"
        )
    return weights


def with_preprocessing(plan, values):
    """The plan with a preprocessing in plain values; None leaves the data's own.

    What the images' numbers mean is the data's in any case, and so is all where they have other
    channels than the preprocessing.
    """
    if not values:
        return plan
    preprocessing = Preprocessing.from_dict(values).on(plan.spec.preprocessing.bands)
    if preprocessing is None:
        return plan
    spec = dataclasses.replace(plan.spec, preprocessing=preprocessing)
    return dataclasses.replace(plan, spec=spec)


def check_replicas(config, strategy):
    """Refuses settings that don't go with the number of replicas.

    Raises:
        TfsegError: `batch_size` isn't a multiple of it, or it is above 1 with `xla`.
    """
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise TfsegError(
            f"`batch_size={config.batch_size}` can't be dealt to {replicas} replicas: it must be a "
            f"multiple of {replicas}"
        )
    if config.xla and replicas > 1:
        raise TfsegError(f"`xla` works with one replica only, not with {replicas}")


def check_data(config, plan):
    """The quick part of the dataset check; warns of classes and images without pixels.

    Raises:
        TfsegError: a file is missing, doesn't fit, or has an impossible label.
    """
    splits = [config.train_split] + ([config.val_split] if plan.val else [])
    report = check_dataset(config.data_dir, plan.spec.num_classes, splits, quick=True)
    for split in report.splits.values():
        for message in split.warnings:
            logging.warning("%s", message)
    errors = report.errors
    if errors:
        more = f" (and {len(errors) - 1} more, which a whole check lists)" if errors[1:] else ""
        remedy = ("check", {"data_dir": config.data_dir}) if errors[1:] else None
        raise TfsegError(errors[0] + more, remedy)


def build_model(config, plan):
    """The model, with fresh weights from the run's seed; call it in the strategy's scope.

    Raises:
        TfsegError: unknown model or option, or a size that doesn't fit the output stride.
    """
    keras.utils.set_random_seed(config.seed)
    if plan.spec.options.get("folded"):
        raise TfsegError("`model_options=folded=true` is for inference: it leaves out batch norms")
    options = {}
    if config.freeze_batch_norm != "none":
        options["freeze_batch_norm"] = config.freeze_batch_norm
    with precision(config.precision):
        model = plan.spec.build(**options)
    stride = f"the output stride of {config.model}, {model.output_stride}"
    if config.short_sides and config.size_divisor % model.output_stride:
        raise TfsegError(f"`size_divisor={config.size_divisor}` is not a multiple of {stride}")
    if config.crop_size and min(config.crop_size) < model.output_stride:
        size = ",".join(map(str, config.crop_size))
        raise TfsegError(f"`crop_size={size}` is smaller than {stride}")
    return model
