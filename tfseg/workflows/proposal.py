"""Settings for data and a machine that nobody has trained on before: a table of rules.

A rule is a pure function of what is known, a `Situation`, to a value and the reason for it. Those
further down see what those above have chosen, and what the user has, which no rule changes.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tfseg.tables import Row, Table
from tfseg.words import counted


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
        channels: of the images.
        value_bytes: of each of their numbers.
    """

    images: int
    val_images: int
    height: int
    width: int
    shares: tuple[float, ...]
    smallest_object: float
    weights: tuple[str, ...] = ()
    channels: int = 3
    value_bytes: int = 1

    def __str__(self) -> str:
        bands = "" if self.channels == 3 else f", {counted(self.channels, 'channel')}"
        return (
            f"{self.images} training and {counted(self.val_images, 'validation image')} of "
            f"{self.width}x{self.height}{bands}, {counted(len(self.shares), 'class')}"
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
        return f"{devices}{counted(self.cores, 'core')}, {self.memory / 2**30:.0f} GiB free"


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


_RULES = "tfseg.workflows.rules"
_CROPS = ("short_sides",)

RULES = Table(
    "rule",
    [
        Rule(
            name="model",
            code=f"{_RULES}:model",
            help="`resnet50_v1+deeplab_v3plus`; `resnet18_v1` without a GPU or for fewer than 100 "
            "images; another encoder where only that fits `--init_weights`",
        ),
        Rule(
            name="model_options",
            code=f"{_RULES}:model_options",
            help="of DeepLab v3+ `output_stride=16`; 8 on a GPU where the smallest class's regions "
            "measure under 16 pixels",
        ),
        Rule(
            name="init_weights",
            code=f"{_RULES}:init_weights",
            help="the encoder's from ImageNet, out of the zoo or `TFSEG_MIRROR`; none, and a line "
            "that says so, where they can't be had",
        ),
        Rule(name="new_head", code=f"{_RULES}:new_head", help="with `--init_weights`"),
        Rule(
            name="precision",
            code=f"{_RULES}:precision",
            help="`bfloat16` where the GPU, or without one the processor, computes in it",
        ),
        Rule(
            name="crop_size",
            code=f"{_RULES}:crop_size",
            unless=_CROPS,
            help="the image in multiples of 16, at most 320 a side without a GPU, 512 with, 768 "
            "with one for images of 1024 or more",
        ),
        Rule(
            name="random_scale",
            code=f"{_RULES}:random_scale",
            unless=(*_CROPS, "scale_choices"),
            help="0.5 to 2; down to crop / image, at least 0.25, where images are over twice as "
            "high as crops",
        ),
        Rule(
            name="batch_size",
            code=f"{_RULES}:batch_size",
            help="8, on GPUs 16 on each, no more than images; halved while the estimated memory is "
            "over 60% of what is free, limits of control groups included",
        ),
        Rule(
            name="accumulation_steps",
            code=f"{_RULES}:accumulation_steps",
            help="what a halved batch lacks",
        ),
        Rule(
            name="steps",
            code=f"{_RULES}:steps",
            unless=("epochs", "minutes"),
            help="40 epochs (80 from random weights), at least 500 updates, at most 4,000 without "
            "a GPU and 20,000 with one",
        ),
        Rule(
            name="learning_rate",
            code=f"{_RULES}:learning_rate",
            help="0.02; less in proportion for updates of fewer than 8; 0.0003 with "
            "`--optimizer=adamw`",
        ),
        Rule(
            name="lr_warmup_steps",
            code=f"{_RULES}:lr_warmup_steps",
            help="a twentieth of the updates, at most 50; 20 where time decides",
        ),
        Rule(name="ema_decay", code=f"{_RULES}:ema_decay", help="0.998"),
        Rule(
            name="loss",
            code=f"{_RULES}:loss",
            unless=("ohem_fraction",),
            help="`cross_entropy:1,dice:0.5`; `dice_per_image` with `--accumulation_steps`",
        ),
        Rule(
            name="class_weights",
            code=f"{_RULES}:class_weights",
            unless=("ohem_fraction",),
            help="`square_root` where the most frequent class has four times the pixels of the "
            "rarest",
        ),
        Rule(
            name="class_crops",
            code=f"{_RULES}:class_crops",
            unless=_CROPS,
            help="0.3 where a class has under 2% of the pixels",
        ),
        Rule(
            name="random_rotate",
            code=f"{_RULES}:random_rotate",
            unless=_CROPS,
            help="10 degrees for fewer than 100 images",
        ),
        Rule(
            name="transforms",
            code=f"{_RULES}:transforms",
            help="`color_jitter:0.3`; `color_jitter:0.4,blur:0.3` for fewer than 100 images; "
            "`gamma:0.2` for images of other than three channels",
        ),
        Rule(
            name="val_split",
            code=f"{_RULES}:val_split",
            help="empty where there are no images for it",
        ),
        Rule(
            name="validate_every",
            code=f"{_RULES}:validate_every",
            help="so rarely that validation takes a tenth of the time, and not under 50 updates",
        ),
        Rule(
            name="checkpoint_every",
            code=f"{_RULES}:checkpoint_every",
            help="as validation, at most 200 updates",
        ),
        Rule(
            name="cache",
            code=f"{_RULES}:cache",
            help="where the decoded training images take under a quarter of the free memory",
        ),
    ],
)
