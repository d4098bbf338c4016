"""Flags that several verbs have, and what they stand for."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from absl import logging
from tqdm import tqdm

from tfseg import workflows
from tfseg.cli import next_step
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need
from tfseg.errors import TfsegError
from tfseg.parts import Part, Unfinished
from tfseg.training.config import EARLIER_NAMES, TrainConfig
from tfseg.words import counted


def define_data(flags: Flags, split: str | None = None) -> None:
    """Defines --data_dir and, if a default is given, --split."""
    flags.string("data_dir", None, "Folder with the image lists and info.json.")
    if split is not None:
        flags.string("split", split, "Which lists to read: {split}_images.txt and so on.")


def define_part(flags: Flags) -> None:
    """Defines --part, which `read_part` reads."""
    flags.string(
        "part",
        None,
        "This process' share, as 2/8 for the second of eight; the last one to end puts all "
        "together. Default the task's of a Slurm array, else 1/1.",
    )


def read_part(flags: Flags, sharable: bool = True) -> Part | None:
    """The `Part` that --part names, or a Slurm array; None for all.

    Args:
        flags: `Flags`.
        sharable: whether what the flags ask for can be parted, so that an array counts.
    """
    if flags.part is None:
        part = Part.of_slurm(os.environ) if sharable else None
        if part:
            logging.info("part %s, as a task of a Slurm array; --part=1/1 does all", part)
    else:
        part = Part.parse(flags.part)
    return part if part and part.count > 1 else None


def say_unfinished(flags: Flags, found: Unfinished) -> None:
    """Says that other parts are missing, and which."""
    numbers = ", ".join(map(str, found.missing[:10])) + (" …" if found.missing[10:] else "")
    print(
        f"part {found.part} of {found.folder} is done: {counted(found.entries, 'image')}; "
        f"{len(found.missing)} of {counted(found.part.count, 'part')} missing: {numbers}"
    )
    flags.found = {"part": str(found.part), "images": found.entries, "missing": found.missing}


def define_model_option(flags: Flags) -> None:
    """Defines --model_option, whose values `parse_options` reads."""
    flags.multi(
        "model_option",
        [],
        "An option of the model as key=value, such as output_stride=16; may be repeated.",
    )


# What --replicas needs.
REPLICAS = Need(
    "--strategy=mirrored",
    lambda flags: flags.strategy in ("auto", "mirrored"),
    against="--strategy=one_device",
)


# The length of a run: recipes state one of them, which gives way to another in the command.
LENGTHS = ("steps", "epochs", "minutes")


def define_config(flags: Flags, config: type[TrainConfig]) -> None:
    """Defines a flag for each setting of `TrainConfig`, or of a class like it."""
    kinds = {
        bool: flags.boolean,
        int: flags.integer,
        float: flags.number,
        str: flags.string,
    }
    for field in config.flag_fields():
        name, default = field.name, field.default
        help, choices = field.metadata["help"], field.metadata["choices"]
        if name == "model_options":
            define_model_option(flags)
        elif choices:
            flags.choice(name, default, choices, help)
        elif field.type is tuple:
            flags.string(name, ",".join(map(str, default)), help)
        elif field.metadata["table"]:
            flags.string(name, default, help)
        else:
            kinds[field.type](name, default, help)
    for earlier, name in EARLIER_NAMES.items():
        if name in flags:
            flags.alias(earlier, name)


def read_config(flags: Flags, config: type[TrainConfig]) -> TrainConfig:
    """The `TrainConfig`, or what is like it, that the flags of `define_config` describe."""
    names = [field.name for field in config.flag_fields() if field.name != "model_options"]
    values: dict[str, Any] = {name: flags[name].value for name in names}
    given = flags["import"].value or ()
    modules = tuple(module for text in given for module in text.split(","))
    return config(**values, model_options=parse_options(flags.model_option), imports=modules)


def train(flags: Flags, config: TrainConfig, next_line: str) -> int:
    """Trains, or goes on with a run, and says what comes next.

    Args:
        flags: `found` is what came of it.
        config: a `TrainConfig`, or what is like it.
        next_line: the command that comes next.

    Returns:
        The exit code: 0, or that of the signal which stopped the run.
    """
    fetch(config.init_weights)
    result = workflows.train(config, progress_bar=draws_bars(), started=flags.started)
    flags.found = {"run_dir": config.run_dir, **vars(result)}
    if result.stopped_by:
        return 128 + result.stopped_by
    next_step.say(next_line)
    return 0


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """["key=value", ...] as a dict; values become bools, ints, floats, None, lists or strings.

    Raises:
        TfsegError: an entry has no "=".
    """
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise TfsegError(f"--model_option={pair} is not of the form key=value")
        options[key.strip()] = parse_value(value.strip())
    return options


def parse_value(text: str) -> Any:
    """ "true", "16", "0.5", "none", "1,2,4" or any other text as the Python value it stands for."""
    if "," in text:
        return [parse_value(part.strip()) for part in text.split(",") if part.strip()]
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def draws_bars() -> bool:
    """Whether stderr is a terminal with a width: without one, nothing of a bar would be seen."""
    with contextlib.suppress(OSError, ValueError):  # no terminal, or no file
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    return False


class Bars:
    """One bar after another on a terminal, each from the first word of its work to the last.

    What is printed before, between and after has its lines to itself.
    """

    def __init__(self) -> None:
        self.bar: Any = None
        self.options: dict[str, Any] = {}

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        self.bar = None

    def __call__(self, done: int, total: int, **options: Any) -> None:
        """Shows how much is done; other `options` of tqdm's, or less done, begin a bar."""
        if self.bar is not None and (options != self.options or done < self.bar.n):
            self.__exit__()
        if self.bar is None:
            self.options = options
            self.bar = tqdm(total=total, disable=None, leave=False, **options)
        self.bar.total = total
        self.bar.update(done - self.bar.n)
        if done == total:
            self.__exit__()


@contextlib.contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """`Bars` as a function (done, total) of numbers of `unit`."""
    with Bars() as bars:
        yield lambda done, total: bars(done, total, unit=unit)


def fetch(source: str) -> None:
    """Downloads what of `source` is a release of the zoo, with a bar where stderr is a terminal.

    Args:
        source: a file of weights, a run directory, or a release's name.
    """
    from tfseg import zoo

    if source not in zoo.RELEASES or os.path.exists(source):
        return
    with Bars() as bars:
        zoo.fetch(source, lambda *it: bars(it[1], it[2], desc=it[0], unit="B", unit_scale=True))
