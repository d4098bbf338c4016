"""Everything that a training run is told, with defaults, checks and explanations."""

import dataclasses
import math
from typing import Any

from tfseg.data.augment import TRANSFORMS, parse_transforms
from tfseg.data.augment.geometry import FILLS, PAD_PLACES, SCALE_FILTERS
from tfseg.errors import TfsegError, unknown
from tfseg.models import PRECISIONS, PREPROCESSINGS
from tfseg.models.spec import plain_options
from tfseg.training import limits, values
from tfseg.training.losses import LOSSES, check_loss, parse_loss
from tfseg.training.optimizers import OPTIMIZERS
from tfseg.training.schedules import SCHEDULES
from tfseg.training.trackers import TRACKERS
from tfseg.words import counted

# {name of an option in version 0.1, which keeps working as an argument and as a flag: name now}.
EARLIER_NAMES = {"padding_constant": "size_divisor"}

# Options that decide what a step computes from which samples: a resumed run can't change them.
FIXED_ON_RESUME = (
    *("model", "num_classes", "model_options", "batch_size", "accumulation_steps", "seed"),
    *("param_groups", "optimizer", "precision", "freeze_batch_norm"),
)


def option(default, help, choices=None, table=None):
    """A field whose `help` and `choices` also make its command-line flag.

    With a `table` it has names of rows, or in Python objects in their place; `choices` then is
    the table itself where it has one name.
    """
    metadata = {"help": help, "choices": choices, "table": table}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The settings of a run; each field is a flag of the command, explained by its `help`.

    Raises:
        TfsegError: a value that is out of range; the message names the field.
    """

    data_dir: str = option("", "Folder with the image lists and info.json.")
    run_dir: str = option("", "Folder of the run; training continues if it has a checkpoint.")
    model: str = option("", "Name of the model, such as drn_d_22.")
    num_classes: int = option(0, "Number of classes; 0 takes them from info.json.")
    model_options: dict = dataclasses.field(
        default_factory=dict,
        metadata={"help": "Options of the model.", "choices": None, "table": None},
    )
    imports: tuple = option(
        (), "Modules whose rows the settings name, which the command imports to read them again."
    )
    train_split: str = option("train", "Split to train on.")
    val_split: str = option("val", "Split to validate on; empty for no validation.")
    crop_size: tuple = option(
        (), "Training crop: height,width or one number; 321 where `short_sides` isn't given."
    )
    short_sides: tuple = option(
        (),
        "Instead of crops, batches of natural shape: whole images, landscape and portrait ones "
        "apart, with a short side drawn from these lengths for each batch on each device.",
    )
    max_long_side: int = option(1000, "With `short_sides`: longest side of an image.")
    size_divisor: int = option(
        8, "With `short_sides`: what the batches' height and width are multiples of."
    )
    batch_size: int = option(8, "Samples in a (micro-)batch, over all replicas and workers.")
    accumulation_steps: int = option(1, "Micro-batches per update.")
    steps: int = option(0, "Updates in the whole run; give this or `epochs`.")
    epochs: float = option(0.0, "Passes over the training images; give this or `steps`.")
    minutes: float = option(
        0.0,
        "Instead of `steps` and `epochs`: minutes that the whole call may take on this machine. "
        "The first updates are measured, and as many are made as fit, with their validations.",
    )
    steps_per_epoch: int = option(
        0, "Updates that count as an epoch; 0 for as many as the training list has batches."
    )
    learning_rate: float = option(0.01, "Initial learning rate.")
    encoder_learning_rate: float = option(
        0.0, "Initial learning rate of the encoder; 0 for `learning_rate`."
    )
    lr_schedule: Any = option(
        "poly",
        "How the learning rate changes, t being the update and T the length of the run. "
        f"{SCHEDULES.help()}.",
        SCHEDULES,
        SCHEDULES,
    )
    lr_warmup_steps: int = option(
        0, "Updates in which the learning rate rises from near 0; `lr_schedule` follows."
    )
    lr_power: float = option(0.9, "Exponent of the poly schedule.")
    lr_step_size: float = option(
        100.0,
        "Length of a step of the step schedule, in epochs with `lr_update_every=epoch`, "
        "otherwise in updates.",
    )
    lr_decay_rate: float = option(0.1, "Factor at each step of the step schedule.")
    lr_final: float = option(
        0.0, "Of the cosine and one_cycle schedules: the end, as a share of `learning_rate`."
    )
    lr_peak: float = option(0.3, "Of the one_cycle schedule: the peak, as a share of the run.")
    lr_update_every: str = option(
        "step", "When the learning rate changes: step, epoch, or a number of updates."
    )
    optimizer: Any = option("sgd", f"{OPTIMIZERS.help()}.", OPTIMIZERS, OPTIMIZERS)
    momentum: float = option(0.9, "Of sgd: share of the velocity that stays.")
    adam_beta1: float = option(0.9, "Of adamw: share of the gradient's mean that stays.")
    adam_beta2: float = option(0.999, "Of adamw: share of its mean square that stays.")
    adam_epsilon: float = option(1e-8, "Of adamw: added to the root of the mean square.")
    weight_decay: float = option(
        1e-4,
        "Weight decay: of sgd an L2 term, added to the gradient; of adamw times the learning rate, "
        "subtracted from the weights.",
    )
    param_groups: str = option(
        "all", "Table of learning-rate and decay groups: all, conv_kernels, deeplab."
    )
    clip_norm: float = option(0.0, "Largest global norm of the gradient; 0 for no limit.")
    precision: str = option("float32", "Arithmetic of the network.", PRECISIONS)
    xla: bool = option(False, "Compile the step with XLA (one replica only).")
    remat: bool = option(
        False,
        "Keep of the network's blocks only what goes into them, and compute the rest again in the "
        "backward pass: the same gradients in less memory and more time.",
    )
    ema_decay: float = option(
        0.0, "Decay of the weights' moving average, which is then validated; 0 for none."
    )
    freeze_batch_norm: str = option(
        "none", "What of batch norm stays fixed.", ("none", "statistics", "all")
    )
    mirror: bool = option(True, "Mirror half of the training images.")
    random_scale: tuple = option((1.0, 1.0), "Range of the random scale: smallest,largest.")
    scale_choices: tuple = option(
        (), "Instead of `random_scale`, the factors of which each sample draws one."
    )
    scale_filter: str = option(
        "bilinear",
        "How images are scaled: bilinear without smoothing; in whole levels by Lanczos (down) and "
        "a cubic (up), as DRN's code does; or bilinear as TensorFlow 1 does (legacy).",
        SCALE_FILTERS,
    )
    pad_place: str = option(
        "random",
        "Where an image lies in a larger crop: anywhere, amid (even; DRN's code), or with all "
        "padding at the bottom and right (DeepLab's).",
        tuple(PAD_PLACES),
    )
    fill: str = option(
        "mean",
        "What crops show outside of their images: the mean colour, or the image mirrored about "
        "its edge (DRN's code). Labels are ignored there.",
        FILLS,
    )
    random_rotate: float = option(0.0, "Largest random rotation in degrees.")
    class_crops: float = option(
        0.0,
        "Share of the crops that are centred on a class, drawn from those of the image in "
        "proportion to their inverse frequency in the training set.",
    )
    transforms: Any = option(
        "",
        "What is done to the samples, in order, each with its strength, such as "
        f"color_jitter:0.4,blur. {TRANSFORMS.help()}.",
        table=TRANSFORMS,
    )
    seed: int = option(0, "Seed of weights, order and augmentation.")
    deterministic: bool = option(
        False,
        "Operations whose results don't depend on how threads take turns: two runs on the same "
        "machine are equal to the last bit. For the whole process, and slower.",
    )
    strategy: str = option(
        "auto", "Distribution.", ("auto", "one_device", "mirrored", "multi_worker")
    )
    replicas: int = option(
        0, "Replicas of `strategy=mirrored`: 0 for all GPUs; without GPUs, so many on the CPU."
    )
    validate_every: str = option(
        "epoch", "Validation: epoch, a number of updates, or 0 for the end only."
    )
    patience: int = option(
        0, "Validations in a row without a better score after which the run ends; 0 for never."
    )
    checkpoint_every: str = option(
        "epoch", "Checkpoints: epoch, a number of updates, or 0 for the end only."
    )
    keep_checkpoints: int = option(2, "How many of the last checkpoints are kept.")
    log_every: int = option(20, "Updates between lines of the log.")
    tracker: str = option(
        "", f"What also keeps the run's settings and numbers. {TRACKERS.help()}.", table=TRACKERS
    )
    cache: bool = option(False, "Keep the decoded training images in memory.")
    init_weights: str = option(
        "",
        "Weights to start from: a file, files with commas between, a run folder, or a release of "
        "the zoo.",
    )
    new_head: bool = option(
        False,
        "Leave the head, and smoothing filters that it hasn't got, fresh where `init_weights` "
        "doesn't fit.",
    )
    preprocessing: str = option(
        "auto",
        "Normalisation of a new run's images: what `init_weights` expects if it says so, else the "
        "data's mean and std (auto), the data's (data), or a published one.",
        ("auto", "data", *PREPROCESSINGS),
    )
    class_weights: tuple = option(
        (),
        "Weight of each class in the loss, comma-separated; or median_frequency, effective_number "
        "or square_root for those of info.json.",
    )
    loss: Any = option(
        "cross_entropy",
        "The loss, or a sum of losses with their factors, such as cross_entropy:1,lovasz:0.5. "
        f"{LOSSES.help()}.",
        table=LOSSES,
    )
    label_smoothing: float = option(
        0.0, "Of cross_entropy: share of each target that is spread over all classes."
    )
    teacher: str = option(
        "", "Of distillation: a trained run, or whatever else has a model with its weights."
    )
    temperature: float = option(1.0, "Of distillation: what logits are divided by.")
    focal_gamma: float = option(2.0, "Of focal: exponent of a pixel's missing probability.")
    tversky_alpha: float = option(0.5, "Of tversky: weight of false positives.")
    tversky_beta: float = option(0.5, "Of tversky: weight of false negatives.")
    boundary_weight: float = option(
        4.0, "Of boundary: how much more a pixel near another class counts."
    )
    boundary_width: int = option(2, "Of boundary: so many pixels away is near.")
    ohem_fraction: float = option(
        0.0,
        "Of ohem: share of each image's valid pixels, hardest first, that it counts. Given without "
        "`loss`, that is ohem.",
    )
    loss_average: str = option(
        "batch",
        "Mean over the valid pixels of the whole update (batch), of each micro-batch and then over "
        "these (micro_batch; DeepLab's code), or of what each replica has of each micro-batch and "
        "then over these (replica; the ADE20K code).",
        ("batch", "micro_batch", "replica"),
    )

    padding_constant: dataclasses.InitVar[int | None] = None

    def __post_init__(self, padding_constant):
        if padding_constant is not None:
            object.__setattr__(self, "size_divisor", padding_constant)
        self._set(limits.typed(self))
        for name in ("data_dir", "run_dir", "model"):
            if not getattr(self, name):
                raise TfsegError(f"`{name}` is missing")
        for field in dataclasses.fields(self):
            choices, value = field.metadata["choices"], getattr(self, field.name)
            if choices and field.metadata["table"]:
                choices.find(value)
            elif choices and value not in choices:
                raise unknown(field.name, value, choices)
        self._set(limits.normalised(self))
        limits.check_numbers(self)
        if sum(length > 0 for length in (self.steps, self.epochs, self.minutes)) != 1:
            raise TfsegError(
                "give the length of the run: one of `steps`, `epochs` and `minutes`, above 0"
            )
        if self.remat and self.xla:
            raise TfsegError("`remat` and `xla` exclude each other: XLA computes nothing twice")
        self._check_loss()
        self._check_optimizer()
        self._check_transforms()
        if self.tracker:
            TRACKERS.find(self.tracker)
        validates = self.val_split and values.interval("validate_every", self.validate_every, 1)
        if self.patience and not validates:
            raise TfsegError("`patience` needs validations: `val_split` and `validate_every`")
        for name in ("scale_choices", "scale_filter", "pad_place", "fill"):
            if self.short_sides and getattr(self, name) != getattr(TrainConfig, name):
                raise TfsegError(f"`{name}` is for crops: `short_sides` excludes it")
        if self.short_sides and (self.random_scale != (1, 1) or self.random_rotate or self.xla):
            raise TfsegError(
                "`short_sides` excludes `random_scale` and `random_rotate`, which are for crops, "
                "and `xla`, which needs one size"
            )

    def _set(self, changes):
        for name, value in changes.items():
            object.__setattr__(self, name, value)

    def _check_loss(self):
        if self.ohem_fraction and self.loss == TrainConfig.loss:
            # What the option alone has always meant.
            object.__setattr__(self, "loss", "ohem")
        changed = self._changed_options(LOSSES)
        check_loss(
            self.loss,
            changed,
            weighted=bool(self.class_weights),
            accumulates=self.accumulation_steps > 1,
            apart=self.loss_average == "replica",
            taught=bool(self.teacher),
        )
        for row, _ in parse_loss(self.loss):
            if self.xla and not row.xla:
                raise TfsegError(f"the loss {row.name} and `xla` exclude each other")

    def _check_optimizer(self):
        chosen = OPTIMIZERS.find(self.optimizer)
        for name in sorted(self._changed_options(OPTIMIZERS)):
            if name not in chosen.options:
                taker = next(row.name for row in OPTIMIZERS.values() if name in row.options)
                raise TfsegError(f"`{name}` is an option of {taker}, not of {chosen.name}")

    def _check_transforms(self):
        rows = [row for row, _ in parse_transforms(self.transforms)]
        for row in rows:
            if self.short_sides and not row.keeps_geometry:
                raise TfsegError(f"{row.name} is for crops: `short_sides` excludes it")
        if self.short_sides and self.class_crops:
            raise TfsegError("`short_sides` and `class_crops` exclude each other")

    def _changed_options(self, table):
        """The rows' options that aren't at their defaults."""
        names = {name for row in table.values() for name in row.options}
        return {name for name in names if getattr(self, name) != getattr(TrainConfig, name)}

    def loss_options(self):
        """{name: value} of the options of the losses."""
        rows = [row for row, _ in parse_loss(self.loss)]
        return {name: getattr(self, name) for row in rows for name in row.options}

    def text(self, name):
        """A setting as it is written on the command line and in records."""
        table = type(self).__dataclass_fields__[name].metadata["table"]
        value = getattr(self, name)
        return table.text(value) if table else values.text(value)

    @property
    def effective_batch(self):
        """Samples per update."""
        return self.batch_size * self.accumulation_steps

    def length(self, images):
        """(updates in an epoch, updates in the whole run) with so many training images.

        The second is None where `minutes` decide.

        Raises:
            TfsegError: the warm-up is as long as the run.
        """
        per_epoch = self.steps_per_epoch or max(images // self.effective_batch, 1)
        if self.minutes:
            return per_epoch, None
        total = self.steps or math.ceil(self.epochs * per_epoch)
        if (warmup := self.lr_warmup_steps) >= total:
            raise TfsegError(
                f"`lr_warmup_steps={warmup}` must be below the run's {counted(total, 'update')}"
            )
        return per_epoch, total

    def fixed(self, replicas):
        """{name: plain value} of the settings that a resumed run on so many replicas must share."""
        fixed = {name: getattr(self, name) for name in FIXED_ON_RESUME}
        # Batches of natural shape are put together for each replica.
        natural = self.batch_size // replicas if self.short_sides else None
        fixed["model_options"] = plain_options(self.model_options)
        fixed["optimizer"] = self.text("optimizer")
        return {**fixed, "ema": self.ema_decay > 0, "images_per_replica": natural}

    @classmethod
    def flag_fields(cls):
        """The fields that are flags of the tool. All its verbs have --import."""
        return [field for field in dataclasses.fields(cls) if field.name != "imports"]

    def to_flags(self):
        """The lines of a flag file that repeats the run."""
        lines = [f"--import={module}" for module in self.imports]
        for field in self.flag_fields():
            value = getattr(self, field.name)
            if isinstance(value, bool):
                lines.append(f"--{'' if value else 'no'}{field.name}")
            elif isinstance(value, dict):
                lines.extend(f"--model_option={key}={values.text(v)}" for key, v in value.items())
            else:
                lines.append(f"--{field.name}={self.text(field.name)}")
        return "\n".join(lines) + "\n"
