"""Mappings {original name: array} as sources of weights."""

from collections.abc import Mapping

import numpy as np

from tfseg.errors import TfsegError


class Joined(Mapping):
    """Several sources as one, such as ADE20K's encoder and decoder files.

    Args:
        parts: {where it came from: mapping}.

    Attributes:
        ignored: {name: reason} of what the parts leave out themselves.

    Raises:
        TfsegError: an entry is in two of them.
    """

    def __init__(self, parts):
        self._owners, self.ignored = {}, {}
        origins = {}
        for origin, part in parts.items():
            part = without_prefix(part)
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


def without_prefix(source):
    """Takes off "module.", which PyTorch's DataParallel puts before every name."""
    if source and all(name.startswith("module.") for name in source):
        return {name.removeprefix("module."): value for name, value in source.items()}
    return source
