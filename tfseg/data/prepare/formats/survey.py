"""What all masks of a source hold: looked at before any is written."""

import collections
import dataclasses

import numpy as np

from tfseg.data.prepare.convert import in_parallel
from tfseg.data.prepare.formats import colours
from tfseg.data.prepare.formats.values import is_lossy, read_palette, read_values
from tfseg.errors import TfsegError


@dataclasses.dataclass
class Survey:
    """What all masks hold.

    Attributes:
        values: {value: pixels} of those with one channel.
        colours: {code: [pixels, pixels amid others of the same colour]} of the others.
        where: {value or code: a file that has it}.
        palettes: the different palettes of index files; None is that of a file without.
        lossy: whether any was compressed with loss.
        failed: (file, reason) of those that can't be read.
    """

    values: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    colours: dict = dataclasses.field(default_factory=dict)
    where: dict = dataclasses.field(default_factory=dict)
    palettes: list = dataclasses.field(default_factory=list)
    lossy: bool = False
    failed: list = dataclasses.field(default_factory=list)


def survey(paths, progress=None):
    """Looks at all masks.

    Args:
        paths: their files.
        progress: called as progress(done, total) after each.

    Returns:
        `Survey`.
    """

    def look(path):
        try:
            values = read_values(path)
            if values.ndim == 3:
                return path, None, colours.count_colours(values, is_lossy(path)), None
            found = np.unique(values, return_counts=True)
            palette = read_palette(path)
            used = palette and tuple((k, palette.get(k)) for k in found[0].tolist())
            return path, [part.tolist() for part in found], None, used
        except TfsegError as error:
            return path, None, None, str(error)

    whole = Survey()
    for path, values, found, more in in_parallel(look, paths, progress, len(paths)):
        if values is None and found is None:
            whole.failed.append((path, more))
            continue
        whole.lossy |= is_lossy(path)
        if values is not None:
            for value, count in zip(*values, strict=True):
                whole.values[value] += count
                whole.where.setdefault(value, path)
            if more not in whole.palettes:
                whole.palettes.append(more)
        for code, counts in (found or {}).items():
            whole.colours[code] = whole.colours.get(code, 0) + counts
            whole.where.setdefault(("colour", code), path)
    return whole
