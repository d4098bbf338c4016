"""Flags that do nothing without others, or beside them: where they are given all the same, the
command says so before it starts."""

import dataclasses
import types
from collections.abc import Callable, Iterable

from tfseg.cli.flags import Flags
from tfseg.errors import TfsegError


@dataclasses.dataclass(frozen=True)
class Need:
    """What has to be the case for a flag to do something.

    A verb's module has NEEDS, {name of a flag: `Need`, or several}.

    Attributes:
        other: a flag with a value, --name=value, or a word that makes it so; or which is not to be
            there.
        acts: whether the flag does something, given all `Flags`.
        beside: whether it does nothing beside `other`, instead of without.
        against: what makes it do nothing, where by default it does something.
    """

    other: str
    acts: Callable[[Flags], bool]
    beside: bool = False
    against: str = ""

    def __str__(self) -> str:
        return f"does nothing {'beside' if self.beside else 'without'} {self.other}"


def of(module: types.ModuleType) -> dict[str, tuple[Need, ...]]:
    """{name of a flag: all its `Need`s} of a verb's module."""
    rows = getattr(module, "NEEDS", {}).items()
    return {name: (need,) if isinstance(need, Need) else tuple(need) for name, need in rows}


def without(*names: str) -> Callable[[Flags], bool]:
    """Acts where none of these flags is set."""
    return lambda flags: not any(flags[name].value for name in names)


def given(*names: str) -> Callable[[Flags], bool]:
    """Acts where one of these flags is set."""
    return lambda flags: any(flags[name].value for name in names)


def typed(arguments: Iterable[str], flags: Flags) -> list[str]:
    """The names of the flags that a command line states itself.

    What recipes and flag files bring is for other calls as well, in which it may do something.
    """
    names = []
    for argument in arguments:
        if argument == "--":
            break
        name = argument.partition("=")[0].lstrip("-")
        if argument.startswith("-") and (found := flags.name(name)):
            names.append(found)
    return names


def give_way(module: types.ModuleType, flags: Flags, names: Iterable[str]) -> None:
    """Takes back what a recipe brought where the command states another of the same.

    Args:
        module: the verb's; its ONE_OF has names of flags of which one at most counts.
        flags: `Flags`, parsed.
        names: as from `typed`.
    """
    one_of = getattr(module, "ONE_OF", ())
    if any(name in one_of and flags[name].value for name in names):
        for name in set(one_of) - set(names):
            flags[name].unparse()


def refuse(module: types.ModuleType, flags: Flags, names: Iterable[str]) -> None:
    """Refuses those of the flags that do nothing with the others.

    Args:
        module: the verb's.
        flags: `Flags`, parsed.
        names: as from `typed`.

    Raises:
        TfsegError: one does nothing.
    """
    needs = of(module)
    for name in names:
        for need in needs.get(name, ()):
            if not need.acts(flags):
                raise TfsegError(f"--{name} {need}")
