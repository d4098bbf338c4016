"""Mappings {original name: array} as sources of weights."""

import contextlib
import itertools
import re
from collections.abc import Mapping

import numpy as np

from tfseg.errors import TfsegError

# Wrappers in wrappers are three or four; a file could have names of a thousand parts.
_MOST_VARIANTS = 16


class Joined(Mapping):
    """Several sources as one, such as ADE20K's encoder and decoder files.

    Args:
        parts: {where it came from: mapping}.

    Attributes:
        parts: as given.
        ignored: {name: reason} of what the parts leave out themselves.

    Raises:
        TfsegError: an entry is in two of them.
    """

    def __init__(self, parts):
        self.parts, self._owners, self.ignored = parts, {}, {}
        origins = {}
        for origin, part in parts.items():
            for name in part:
                if name in origins:
                    raise TfsegError(f"{name} is both in {origins[name]} and in {origin}")
                origins[name], self._owners[name] = origin, part
            self.ignored.update(getattr(part, "ignored", {}))

    def __getitem__(self, name):
        return self._owners[name][name]

    def __iter__(self):
        return iter(self._owners)

    def __len__(self):
        return len(self._owners)

    def __contains__(self, name):
        return name in self._owners

    def shape(self, name):
        """The shape of an array, without reading it where its part allows that."""
        return shape_of(self._owners[name], name)


def shape_of(source, name):
    """The shape of an entry, from the file's header where the source is a file."""
    return tuple(source.shape(name)) if hasattr(source, "shape") else np.shape(source[name])


def variants(source):
    """`source` as it is, and without the prefixes that all of its names share, outermost first.

    Wrappers put one before every name: "module." (DataParallel), "_orig_mod." (torch.compile),
    "model." (Lightning), a scope. Of several parts, each has its own.
    """
    if isinstance(source, Joined):
        yield source
        parts = source.parts
        choices = itertools.product(*(_without_prefixes(part) for part in parts.values()))
        for chosen in itertools.islice(choices, 1, _MOST_VARIANTS):
            with contextlib.suppress(TfsegError):  # two parts that have names in common then
                yield Joined(dict(zip(parts, chosen, strict=True)))
    else:
        yield from _without_prefixes(source)


class _Renamed(Mapping):
    """A mapping whose names begin after `prefix`."""

    def __init__(self, source, prefix):
        self._source, self._prefix = source, prefix
        self.ignored = getattr(source, "ignored", {})
        self.part = getattr(source, "part", None)

    def __getitem__(self, name):
        return self._source[self._prefix + name]

    def __iter__(self):
        return (name.removeprefix(self._prefix) for name in self._source)

    def __len__(self):
        return len(self._source)

    def __contains__(self, name):
        return name is not None and self._prefix + name in self._source

    def shape(self, name):
        """The shape of an array, without reading it where the source allows that."""
        return shape_of(self._source, self._prefix + name)


def _without_prefixes(source):
    """[`source`, `source` without the first part of all names, without the first two, …]."""
    found = [source]
    names = sorted(map(str, source)) if len(source) > 1 else [""]
    # What the first and the last name share, all between them share.
    pairs = itertools.takewhile(
        lambda pair: pair[0] == pair[1], zip(names[0], names[-1], strict=False)
    )
    common = "".join(letter for letter, _ in pairs)
    for end in re.finditer(r"[./]", common):
        found.append(_Renamed(source, common[: end.end()]))
    return found[:_MOST_VARIANTS]
