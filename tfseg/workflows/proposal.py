"""Settings for data and a machine that nobody has trained on before: a table of rules.

A rule is a pure function of what is known, a `Situation`, to a value and the reason for it. Those
further down see what those above have chosen, and what the user has, which no rule changes.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tfseg.tables import Row, Table
from tfseg.training.losses import parse_loss
from tfseg.zoo import RELEASES

# Of networks at output stride 16 in bfloat16: bytes that training keeps for each pixel of a batch,
# and weights with their gradients, velocities and averages. Measured as the largest memory of
# updates with 2 and 8 samples of 320x320; the third stands for any other network.
_PIXEL_BYTES = {"resnet18_v1": 1100, "resnet50_v1": 1800, None: 4000}
_FIXED_BYTES = 2e9
# What of the free memory a run may take by the estimate.
_SHARE = 0.6


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a data folder is like.

    Attributes:
        images, val_images: how many there are for training and validation.
        height, width: medians over the images.
        shares: of each class among the labelled pixels.
        smallest_object: side of a square as large as a typical connected region of that class
            whose regions are smallest, in pixels.
        weights: names of the class weights that info.json has.
    """

    images: int
    val_images: int
    height: int
    width: int
    shares: tuple[float, ...]
    smallest_object: float
    weights: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.images} training and {self.val_images} validation images of "
            f"{self.width}x{self.height}, {len(self.shares)} classes"
        )


@dataclasses.dataclass(frozen=True)
class MachineFacts:
    """What a machine is like.

    Attributes:
        cores: of the processor, as far as this process may use them.
        gpus: how many there are.
        memory: bytes that are free where the network runs: of one GPU, or of the machine.
        host_memory: bytes of the machine that are free.
        bfloat16: whether what the network runs on computes in it.
    """

    cores: int
    gpus: int
    memory: float
    host_memory: float
    bfloat16: bool

    def __str__(self) -> str:
        devices = f"{self.gpus} GPU, " if self.gpus else ""
        return f"{devices}{self.cores} cores, {self.memory / 2**30:.0f} GiB free"


@dataclasses.dataclass
class Situation:
    """What rules look at.

    Attributes:
        data: `DataFacts`.
        machine: `MachineFacts`.
        given: {setting: value} of the user.
        chosen: the same, and what the rules have chosen so far.
        fitting: the models whose encoders a file of the user's weights fits; empty without one.
        pretrained: whether there are weights to start from.
    """

    data: DataFacts
    machine: MachineFacts
    given: Mapping[str, Any]
    chosen: dict[str, Any]
    fitting: tuple[str, ...] = ()
    pretrained: bool = True

    @property
    def encoder(self) -> str:
        return self.chosen["model"].partition("+")[0]

    @property
    def batch(self) -> int:
        """Samples of an update."""
        return self.chosen["batch_size"] * self.chosen.get("accumulation_steps", 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule(Row):
    """How a setting follows from data and machine.

    `name` is that of the setting; `code` a function of a `Situation` to (value, reason), or to None
    where the setting's default is right; `help` the rule in words.

    Attributes:
        unless: other settings that, given by the user, leave nothing to this rule.
    """

    unless: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Proposed:
    """A setting that was chosen: its value, and why."""

    name: str
    value: Any
    reason: str


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What was chosen for some data and a machine.

    Attributes:
        data: `DataFacts`.
        machine: `MachineFacts`.
        settings: of `Proposed`.
    """

    data: DataFacts
    machine: MachineFacts
    settings: tuple[Proposed, ...]

    @property
    def values(self) -> dict[str, Any]:
        """{setting: value}."""
        return {one.name: one.value for one in self.settings}

    def without(self, given: Iterable[str]) -> "Proposal":
        """What is left where these settings are given."""
        left = [
            one
            for one in self.settings
            if one.name not in given and not any(x in given for x in RULES[one.name].unless)
        ]
        return dataclasses.replace(self, settings=tuple(left))

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Proposal":
        """Of what `to_dict` gave."""
        return cls(
            DataFacts(**values["data"]),
            MachineFacts(**values["machine"]),
            tuple(Proposed(**one) for one in values["settings"]),
        )


def propose(
    data: DataFacts,
    machine: MachineFacts,
    given: Mapping[str, Any] | None = None,
    fitting: Iterable[str] = (),
    pretrained: bool = True,
) -> Proposal:
    """What the rules choose beside what is given.

    Args:
        data, machine, given, fitting, pretrained: see `Situation`.
    """
    given = given or {}
    now = Situation(data, machine, given, dict(given), tuple(fitting), pretrained)
    found = []
    for rule in RULES.values():
        if rule.name in given or any(name in given for name in rule.unless):
            continue
        answer = rule.load()(now)
        if answer is not None:
            now.chosen[rule.name] = answer[0]
            found.append(Proposed(rule.name, *answer))
    return Proposal(data, machine, tuple(found))


def _model(now):
    small = not now.machine.gpus or now.data.images < 100
    encoder = "resnet18_v1" if small else "resnet50_v1"
    why = "small: there is no GPU" if not now.machine.gpus else "small, for few images"
    why = why if small else "there is a GPU"
    if now.fitting and encoder not in now.fitting:
        known = [name for name in now.fitting if name.endswith("_v1")]
        encoder, why = (known or now.fitting)[0], "its encoder fits the initial weights"
    # Encoders of other families are models of their own.
    return f"{encoder}+deeplab_v3plus" if encoder.endswith("_v1") else encoder, why


def _model_options(now):
    if not now.encoder.endswith("_v1") or not now.chosen["model"].endswith("+deeplab_v3plus"):
        return None
    if now.machine.gpus and now.data.smallest_object < 16:
        return {"output_stride": 8}, f"objects of {now.data.smallest_object:.0f} pixels"
    why = "objects are large enough" if now.machine.gpus else "8 takes long without a GPU"
    return {"output_stride": 16}, why


def _init_weights(now):
    release = f"{now.encoder}_imagenet"
    if not now.pretrained or release not in RELEASES:
        return None
    return release, "what ImageNet teaches need not be learned from these images"


def _new_head(now):
    return (True, "it is for these classes") if now.chosen.get("init_weights") else None


def _precision(now):
    if not now.machine.bfloat16:
        return None
    return "bfloat16", f"{'the GPU' if now.machine.gpus else 'this processor'} computes in it"


def _crop_size(now):
    short = min(now.data.height, now.data.width)
    most = 320 if not now.machine.gpus else 512 if short < 1024 else 768
    size = tuple(
        16 * max(min(math.ceil(side / 16), most // 16), 2)
        for side in (now.data.height, now.data.width)
    )
    if max(now.data.height, now.data.width) <= most:
        return size, "whole images"
    return size, f"at most {most}, {'with' if now.machine.gpus else 'without'} a GPU"


def _random_scale(now):
    height, _ = _crop(now)
    low = min(max(height / now.data.height, 0.25), 0.5)
    if low == 0.5:
        return (0.5, 2.0), "objects near and far"
    low = math.floor(low * 20) / 20
    return (low, 2.0), f"down to {low:g}, as crops show little of these images"


def _crop(now):
    size = now.chosen.get("crop_size") or (321,)
    numbers = [int(side) for side in str(size).strip("()").split(",") if side.strip()]
    return numbers * 2 if len(numbers) == 1 else numbers


def _wanted(now):
    """Samples of an update, whatever memory holds."""
    wanted = 16 if now.machine.gpus else 8
    while wanted > 2 and wanted > now.data.images:
        wanted //= 2
    return wanted * max(now.machine.gpus, 1) if wanted > 8 else wanted


def _memory(now, batch):
    """Bytes that a replica needs for a batch, estimated."""
    height, width = _crop(now)
    pixel = _PIXEL_BYTES.get(now.encoder, _PIXEL_BYTES[None])
    pixel *= 1 if now.chosen.get("precision") == "bfloat16" else 1.6
    pixel *= 2.5 if now.chosen.get("model_options", {}).get("output_stride") == 8 else 1
    return _FIXED_BYTES + pixel * height * width * batch / max(now.machine.gpus, 1)


def _batch_size(now):
    batch = wanted = _wanted(now)
    least = 2 * max(now.machine.gpus, 1)
    while batch > least and _memory(now, batch) > _SHARE * now.machine.memory:
        batch //= 2
    if batch == wanted:
        return batch, f"about {_memory(now, batch) / 2**30:.1f} GiB of memory"
    return batch, f"what fits into the {now.machine.memory / 2**30:.1f} GiB that are free"


def _accumulation_steps(now):
    steps = _wanted(now) // now.chosen["batch_size"]
    if steps < 2 or "batch_size" in now.given:
        return None
    return steps, f"updates of {steps * now.chosen['batch_size']} all the same"


def _steps(now):
    most = 20_000 if now.machine.gpus else 4_000
    epochs = 40 if now.pretrained else 80
    steps = min(max(math.ceil(epochs * now.data.images / now.batch), 500), most)
    return steps, f"{steps * now.batch / now.data.images:.0f} epochs"


def _learning_rate(now):
    if now.chosen.get("optimizer") == "adamw":
        return 3e-4, "for adamw"
    return min(0.02, 0.02 * now.batch / 8), f"for updates of {now.batch}"


def _lr_warmup_steps(now):
    if "steps" not in now.chosen:
        return 20, "the head is fresh"
    return min(max(int(now.chosen["steps"]) // 20, 1), 50), "the head is fresh"


def _ema_decay(now):
    return 0.998, "the mean of the last weights is better than the last"


def _loss(now):
    dice = "dice_per_image" if int(now.chosen.get("accumulation_steps", 1)) > 1 else "dice"
    return f"cross_entropy:1,{dice}:0.5", "Dice looks at the overlap that is scored"


def _class_weights(now):
    shown = [share for share in now.data.shares if share > 0]
    weighted = all(row.takes_class_weights for row, _ in parse_loss(now.chosen["loss"]))
    if not shown or max(shown) < 4 * min(shown) or not weighted:
        return None
    if "square_root" not in now.data.weights:
        return None
    return "square_root", f"classes have from {_percent(min(shown))} to {_percent(max(shown))}"


def _class_crops(now):
    rare = [share for share in now.data.shares if 0 < share < 0.02]
    if not rare or not now.data.weights:
        return None
    return 0.3, f"{len(rare)} of the classes have under 2% of the pixels"


def _random_rotate(now):
    return None if now.data.images >= 100 else (10.0, "few images")


def _transforms(now):
    if now.data.images < 100:
        return "color_jitter:0.4,blur:0.3", "few images"
    return "color_jitter:0.3", "light differs from photograph to photograph"


def _val_split(now):
    return None if now.data.val_images else ("", "there is nothing to validate on")


def _validate_every(now):
    # A validation has no gradient, a third of an update; whole images in place of crops.
    height, width = _crop(now) if not now.chosen.get("short_sides") else (1, 1)
    larger = 1 if height == 1 else now.data.height * now.data.width / (height * width)
    updates = now.data.val_images / now.batch * larger / 3
    every = max(math.ceil(updates / 0.1), 50)
    return str(every), "validation takes at most a tenth of the time"


def _checkpoint_every(now):
    every = str(now.chosen.get("validate_every", ""))
    least = int(every) if every.isdigit() and int(every) else 200
    return str(min(least, 200)), "what a crash may cost"


def _cache(now):
    bytes_ = 4 * now.data.images * now.data.height * now.data.width
    if bytes_ > now.machine.host_memory / 4:
        return None
    return True, f"decoded images take {max(bytes_ / 2**30, 0.1):.1f} GiB"


def _percent(share):
    return f"{100 * share:.2g}%"


_CROPS = ("short_sides",)

RULES = Table(
    "rule",
    [
        Rule(
            name="model",
            code=_model,
            help="`resnet50_v1+deeplab_v3plus`; `resnet18_v1` without a GPU or for fewer than 100 "
            "images; another encoder where only that fits `--init_weights`",
        ),
        Rule(
            name="model_options",
            code=_model_options,
            help="of DeepLab v3+ `output_stride=16`; 8 on a GPU where the smallest class's regions "
            "measure under 16 pixels",
        ),
        Rule(
            name="init_weights",
            code=_init_weights,
            help="the encoder's from ImageNet, out of the zoo or `TFSEG_MIRROR`; none, and a line "
            "that says so, where they can't be had",
        ),
        Rule(name="new_head", code=_new_head, help="with `--init_weights`"),
        Rule(
            name="precision",
            code=_precision,
            help="`bfloat16` where the GPU, or without one the processor, computes in it",
        ),
        Rule(
            name="crop_size",
            code=_crop_size,
            unless=_CROPS,
            help="the image in multiples of 16, at most 320 a side without a GPU, 512 with, 768 "
            "with one for images of 1024 or more",
        ),
        Rule(
            name="random_scale",
            code=_random_scale,
            unless=(*_CROPS, "scale_choices"),
            help="0.5 to 2; down to crop / image, at least 0.25, where images are over twice as "
            "high as crops",
        ),
        Rule(
            name="batch_size",
            code=_batch_size,
            help="8, on GPUs 16 on each, no more than images; halved while the estimated memory is "
            "over 60% of what is free, limits of control groups included",
        ),
        Rule(
            name="accumulation_steps",
            code=_accumulation_steps,
            help="what a halved batch lacks",
        ),
        Rule(
            name="steps",
            code=_steps,
            unless=("epochs", "minutes"),
            help="40 epochs (80 from random weights), at least 500 updates, at most 4,000 without "
            "a GPU and 20,000 with one",
        ),
        Rule(
            name="learning_rate",
            code=_learning_rate,
            help="0.02; less in proportion for updates of fewer than 8; 0.0003 with "
            "`--optimizer=adamw`",
        ),
        Rule(
            name="lr_warmup_steps",
            code=_lr_warmup_steps,
            help="a twentieth of the updates, at most 50; 20 where time decides",
        ),
        Rule(name="ema_decay", code=_ema_decay, help="0.998"),
        Rule(
            name="loss",
            code=_loss,
            unless=("ohem_fraction",),
            help="`cross_entropy:1,dice:0.5`; `dice_per_image` with `--accumulation_steps`",
        ),
        Rule(
            name="class_weights",
            code=_class_weights,
            unless=("ohem_fraction",),
            help="`square_root` where the most frequent class has four times the pixels of the "
            "rarest",
        ),
        Rule(
            name="class_crops",
            code=_class_crops,
            unless=_CROPS,
            help="0.3 where a class has under 2% of the pixels",
        ),
        Rule(
            name="random_rotate",
            code=_random_rotate,
            unless=_CROPS,
            help="10 degrees for fewer than 100 images",
        ),
        Rule(
            name="transforms",
            code=_transforms,
            help="`color_jitter:0.3`; `color_jitter:0.4,blur:0.3` for fewer than 100 images",
        ),
        Rule(name="val_split", code=_val_split, help="empty where there are no images for it"),
        Rule(
            name="validate_every",
            code=_validate_every,
            help="so rarely that validation takes a tenth of the time, and not under 50 updates",
        ),
        Rule(
            name="checkpoint_every",
            code=_checkpoint_every,
            help="as validation, at most 200 updates",
        ),
        Rule(
            name="cache",
            code=_cache,
            help="where the decoded training images take under a quarter of the free memory",
        ),
    ],
)
