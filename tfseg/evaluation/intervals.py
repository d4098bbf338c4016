"""Bootstrap intervals: how much scores would change with other images of the same kind."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from tfseg.errors import TfsegError
from tfseg.words import counted

METHOD = "95% percentile bootstrap (Efron and Tibshirani, 1993, section 13.3)"
_LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Resampling:
    """How images are drawn again.

    Attributes:
        replicates: how many times.
        seed: of the random numbers.
        groups: the group of each image by name, such as the video that it is of: groups are drawn
            as a whole, since images of one are alike; or None.
    """

    replicates: int = 2000
    seed: int = 0
    groups: dict[str, str] | None = None

    def weights(self, names: Sequence[str]) -> np.ndarray | None:
        """How often each image was drawn: float32 [replicates, images]; None for less than two
        images or groups, which say nothing about others.

        Raises:
            TfsegError: an image has no group.
        """
        keys = list(names)
        if self.groups is not None:
            if missing := [name for name in names if name not in self.groups]:
                raise TfsegError(f"image {missing[0]} has no group ({len(missing)} have none)")
            keys = [self.groups[name] for name in names]
        _, members = np.unique(keys, return_inverse=True)
        if self.groups is None:
            members = np.arange(len(keys))
        count = int(members.max(initial=-1)) + 1
        if count < 2 or self.replicates < 1:
            return None
        generator = np.random.default_rng(self.seed)
        drawn = np.empty([self.replicates, count], np.float32)
        for row in drawn:
            row[:] = np.bincount(generator.integers(0, count, count), minlength=count)
        return drawn[:, members]

    def describe(self, names: Sequence[str]) -> str:
        """In words, for protocols."""
        what = f"{counted(len(names), 'image')}"
        if self.groups is not None:
            what = f"{counted(len({self.groups[name] for name in names}), 'group')} of {what}"
        return f"{METHOD} over {what}, {self.replicates} replicates, seed {self.seed}"


def interval(values: np.ndarray) -> np.ndarray:
    """(low, high) of replicates [replicates, …]: [2, …], nan where none has a value."""
    low = (1 - _LEVEL) / 2
    result = np.full([2, *values.shape[1:]], np.nan)
    known = ~np.isnan(values).all(0)
    if known.any():
        result[:, known] = np.nanquantile(values[:, known], [low, 1 - low], axis=0)
    return result


def groups_by(names: Sequence[str], rule: str) -> dict[str, str]:
    """The group of each image by a rule.

    Args:
        names: of the images.
        rule: "folder", for the folder that an image lies in; or a regular expression, whose first
            match in a file's name, or whose first parenthesis in it, is the group: "^[^_]+".

    Raises:
        TfsegError: the expression is none, or an image's name doesn't have it.
    """
    if rule == "folder":
        return {name: name.rpartition("/")[0] for name in names}
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise TfsegError(f"`group_by={rule}` is no regular expression: {error}") from error
    groups = {}
    for name in names:
        match = pattern.search(name.rpartition("/")[2])
        if match is None:
            raise TfsegError(f"`group_by={rule}` finds nothing in the name {name}")
        groups[name] = match[1] or "" if pattern.groups else match[0]
    return groups
