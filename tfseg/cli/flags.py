"""The flags of a verb: absl's, without its global table, and errors with the nearest right one."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from absl import flags as absl_flags
from absl import logging

from tfseg.errors import TfsegError, unknown
from tfseg.tables import Table

# What arguments are called as flags, where they don't share a name; those of a protocol of which
# a training has others begin with "eval_".
_OTHER_NAMES = {"model_options": "model_option"}


class Flags:
    """What a verb is told: define flags by the methods, parse, then read them as attributes.

    flags.integer("jobs", 4, "Processes.", 1)
    flags.parse(["--jobs=8", "photo.jpg"])
    flags.jobs
    """

    def __init__(self) -> None:
        # When the call began, which `minutes` count from.
        self.started = time.monotonic()
        self._order: list[str] = []
        self._aliases: dict[str, str] = {}
        self._values = absl_flags.FlagValues()
        # What the verb has found, for --json.
        self.found: Any = None
        # What stands in the command beside flags.
        self.paths: list[str] = []
        # Files may stand before flags, as in other programs.
        self._values.set_gnu_getopt(True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._values[name].value

    def __getitem__(self, name: str) -> absl_flags.Flag:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        """The names of the flags, as they were defined."""
        return iter(self._order)

    def _define(self, define: Callable[..., Any], name: str, *arguments: Any) -> None:
        define(name, *arguments, flag_values=self._values)
        self._order.append(name)

    def string(self, name: str, default: Any, help: str) -> None:
        self._define(absl_flags.DEFINE_string, name, default, help)

    def boolean(self, name: str, default: Any, help: str) -> None:
        self._define(absl_flags.DEFINE_boolean, name, default, help)

    def integer(
        self, name: str, default: Any, help: str, lower: int | None = None, upper: int | None = None
    ) -> None:
        self._define(absl_flags.DEFINE_integer, name, default, help, lower, upper)

    def number(
        self,
        name: str,
        default: Any,
        help: str,
        lower: float | None = None,
        upper: float | None = None,
    ) -> None:
        self._define(absl_flags.DEFINE_float, name, default, help, lower, upper)

    def several(self, name: str, default: Any, help: str) -> None:
        """Several values with commas between."""
        self._define(absl_flags.DEFINE_list, name, default, help)

    def multi(self, name: str, default: Any, help: str) -> None:
        """A flag that may be repeated, each time with one value."""
        self._define(absl_flags.DEFINE_multi_string, name, default, help)

    def choice(self, name: str, default: Any, choices: Iterable[str], help: str) -> None:
        """One of `choices`."""
        self._choose(absl_flags.Flag, name, default, choices, help)

    def choices(self, name: str, default: Iterable[str], choices: Iterable[str], help: str) -> None:
        """Some of `choices`: --name=a,b as well as --name=a --name=b."""
        self._choose(_Several, name, [*default], choices, help)

    def _choose(
        self,
        kind: type[absl_flags.Flag],
        name: str,
        default: Any,
        choices: Iterable[str],
        help: str,
    ) -> None:
        flag = kind(_Choice(name, choices), absl_flags.ArgumentSerializer(), name, default, help)
        self._define(lambda _, flag_values: absl_flags.DEFINE_flag(flag, flag_values), name)

    def report(self) -> None:
        """Defines --json: a verb that has it leaves what it has found in `found`."""
        self.string(
            "json",
            None,
            "File for what is found, as JSON; - for standard output, where nothing else goes then.",
        )

    def alias(self, name: str, of: str) -> None:
        """Another name of a flag, which help doesn't show."""
        self._aliases[name] = of
        absl_flags.DEFINE_alias(name, of, flag_values=self._values)

    def parse(self, arguments: Iterable[str]) -> list[str]:
        """Reads the flags; returns the arguments that are none.

        Raises:
            TfsegError: an unknown flag, or a wrong value.
        """
        try:
            paths = self._values(["tfseg", *arguments])[1:]
        except absl_flags.UnrecognizedFlagError as error:
            raise unknown("flag", f"--{error.flagname}", self._spellings()) from error
        except absl_flags.Error as error:
            text = " ".join(str(error).split())
            if match := re.match(r"flag --(\w+)=(.*): \('Non-boolean", text):
                name, value = match.groups()
                text = f"--{name} is on or off, --{name} or --no{name}, and not {value!r}"
            raise TfsegError(text) from error
        for name in self._values:
            self._values[name].value = _at_home(self._values[name].value)
        self.paths = [_at_home(path) for path in paths]
        return self.paths

    def name(self, text: str) -> str | None:
        """The name of the flag that is written as `text`, without dashes; None if there is none."""
        for name in (text, text.removeprefix("no")):
            if name in self:
                return self._aliases.get(name, name)
        return None

    def _spellings(self) -> list[str]:
        off = [f"--no{name}" for name in self._values if self._values[name].boolean]
        return [*(f"--{name}" for name in self._values), *off, "--help", "--helpfull"]

    def spell(self, text: str) -> str:
        """A text of the library's, with dashes where it has flags' names between backticks.

        "`steps` or `lr_schedule=poly`" becomes "--steps or --lr_schedule=poly".
        """

        def flag(match: re.Match[str]) -> str:
            name = _OTHER_NAMES.get(match[1], match[1])
            name = name if name in self else f"eval_{name}"
            return f"--{name}{match[2] or ''}" if name in self else match[0]

        return re.sub(r"`(\w+)(=[^`]*)?`", flag, text)

    def require(self, *names: str) -> None:
        """Checks that the flags `names` were given.

        Raises:
            TfsegError: one is missing.
        """
        for name in names:
            if self[name].value in (None, "", []):
                raise TfsegError(f"--{name} is missing; --help lists the flags")


# The flags that all verbs have.
COMMON = ("recipe", "flagfile", "import", "verbosity")


def define_common(flags: Flags) -> None:
    """Defines `COMMON`."""
    flags.multi(
        "recipe", [], "A recipe, such as camvid/drn_d_22: flags that what follows overrides."
    )
    flags.multi("flagfile", [], "A file with a flag a line, such as a run's config.flags.")
    flags.multi("import", [], "A module of yours to import first: it registers rows of its own.")
    flags.integer("verbosity", logging.INFO, "What is logged: -1 warnings, 0 all, 1 details.")


class _Choice(absl_flags.ArgumentParser):
    """A value that is one of several; the error has the nearest."""

    def __init__(self, name: str, choices: Iterable[str]):
        super().__init__()
        self.name, self.choices = name, list(choices)
        self.table = choices if isinstance(choices, Table) else None

    def parse(self, argument: str) -> str:
        if argument in self.choices:
            return argument
        kind = f"--{self.name}"
        if self.table is not None:
            raise self.table.missing(argument, kind)
        raise unknown(kind, argument, self.choices)

    def flag_type(self) -> str:
        return "string enum"


class _Several(absl_flags.MultiFlag):
    """Takes several values at once, with commas between, as well as one after the other."""

    def _parse(self, arguments: Any) -> Any:
        if isinstance(arguments, str):
            arguments = [part.strip() for part in arguments.split(",")]
        return super()._parse(arguments)


def _at_home(value: Any) -> Any:
    """A flag's value with the home folder where it says "~/".

    Shells put it in at the start of a word alone, which it isn't in --output_dir=~/x nor in a flag
    file. Only paths start so.
    """
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    if not isinstance(value, str) or "~" not in value:
        return value
    return ",".join(os.path.expanduser(part) for part in value.split(","))
