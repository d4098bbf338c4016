"""Shares of a list that processes or machines work on side by side, and what becomes of them.

What a part has found goes to a file of its own below the folder of the results. Whoever ends last
finds all of them there and puts them together, so nothing has to run after the parts.
"""

import dataclasses
import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tfseg.errors import TfsegError
from tfseg.words import counted

_FOLDER = "parts"


@dataclasses.dataclass(frozen=True)
class Part:
    """One of `count` shares of a list; every entry of any list is in exactly one of them.

    Attributes:
        number: 1..count.
        count: how many there are.

    Raises:
        TfsegError: there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise TfsegError(f"`part={self}`: the number of a part is one of 1..{self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> "Part":
        """The part that "2/8" names.

        Raises:
            TfsegError: it names none.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([1-9][0-9]{0,8})", text.strip())
        if not match:
            raise TfsegError(
                f"`part={text}` isn't of the form number/count, as 2/8 for the second of eight"
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of_slurm(cls, environment: Mapping[str, str]) -> "Part | None":
        """The part of a task of a Slurm array; None where there is no array, or one of one task.

        Raises:
            TfsegError: the array's numbers have gaps, so they don't say which part it is.
        """
        names = ("ID", "COUNT", "MIN", "MAX")
        try:
            task, count, first, last = (int(environment[f"SLURM_ARRAY_TASK_{x}"]) for x in names)
            step = int(environment.get("SLURM_ARRAY_TASK_STEP", 1))
        except (KeyError, ValueError):
            return None
        if count <= 1:
            return None
        number, rest = divmod(task - first, max(step, 1))
        if rest or last != first + step * (count - 1):
            raise TfsegError(
                f"the Slurm array's {count} tasks {first}..{last} have gaps: "
                "say which part this is by `part`"
            )
        return cls(number + 1, count)

    def of(self, total: int) -> range:
        """The places of its entries in a list of so many.

        They lie evenly over it, as neighbours are often alike, and parts are to take equally long.

        Raises:
            TfsegError: there is none.
        """
        if total < self.count:
            raise TfsegError(
                f"`part={self}`: a list of {total} has no more than {counted(total, 'part')}"
            )
        return range(self.number - 1, total, self.count)

    @property
    def all(self) -> list["Part"]:
        """It and its siblings, in order."""
        return [Part(number, self.count) for number in range(1, self.count + 1)]


@dataclasses.dataclass(frozen=True)
class Unfinished:
    """What there is to say once a part is done while others aren't.

    Attributes:
        part: it.
        entries: how many entries of the list it has done.
        missing: the numbers of parts that aren't there yet.
        folder: where the results go.
    """

    part: Part
    entries: int
    missing: tuple[int, ...]
    folder: str


class PartFiles:
    """The files in which parts keep what they have found until all are there.

    Args:
        folder: that of the results.
        part: the part that this process does.
        key: function of a part to what its results depend on, as text: files that were made of
            something else don't count.
        ending: of the files' names.
    """

    def __init__(self, folder: str, part: Part, key: Callable[[Part], str], ending: str = ".npz"):
        self.folder, self.part, self.key, self.ending = folder, part, key, ending

    def path(self, part: Part | None = None) -> str:
        """Where a part, or this one, keeps what it has found."""
        part = part or self.part
        digest = hashlib.sha256(self.key(part).encode(errors="surrogatepass")).hexdigest()
        return f"{self._stem(part)}-{digest[:16]}{self.ending}"

    def _stem(self, part: Part) -> str:
        return os.path.join(self.folder, _FOLDER, f"{part.number}-of-{part.count}")

    def tidy(self) -> None:
        """Removes what this part has found of something else before."""
        for path in glob.glob(f"{glob.escape(self._stem(self.part))}-*{self.ending}"):
            if path != self.path():
                os.unlink(path)

    def paths(self) -> tuple[list[str], tuple[int, ...]]:
        """The paths of all parts' files, in order, and the numbers of those that aren't there."""
        paths = [self.path(part) for part in self.part.all]
        missing = [n for n, path in enumerate(paths, 1) if not os.path.isfile(path)]
        return paths, tuple(missing)


def file_marks(paths: Iterable[Any]) -> str:
    """What tells files, where they are such, from later ones under their names, as text."""
    marks = []
    for path in paths:
        try:
            status = os.stat(path)
            marks.append(f"{os.path.abspath(path)} {status.st_size} {status.st_mtime_ns}")
        except (OSError, TypeError, ValueError):
            marks.append("")
    return "\n".join(marks)


def interleave(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """The whole list, from its parts' entries in order."""
    whole: list[Any] = [None] * sum(map(len, parts))
    for number, entries in enumerate(parts, 1):
        for place, entry in zip(Part(number, len(parts)).of(len(whole)), entries, strict=True):
            whole[place] = entry
    return whole
