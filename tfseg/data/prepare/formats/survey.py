"""What all masks of a source hold: looked at before any is written."""

import collections
import dataclasses

import numpy as np

from tfseg.data.prepare.convert import in_parallel
from tfseg.data.prepare.formats import colours
from tfseg.data.prepare.formats.values import is_lossy, pieces, read_palette
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
        sizes: {file: (H, W)} of those that can.
    """

    values: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    colours: dict = dataclasses.field(default_factory=dict)
    where: dict = dataclasses.field(default_factory=dict)
    palettes: list = dataclasses.field(default_factory=list)
    lossy: bool = False
    failed: list = dataclasses.field(default_factory=list)
    sizes: dict = dataclasses.field(default_factory=dict)

    def add(self, path, one):
        """Adds the `Survey` of one more mask."""
        self.failed += one.failed
        self.sizes.update(one.sizes)
        self.lossy |= one.lossy
        self.values.update(one.values)
        for value in one.values:
            self.where.setdefault(value, path)
        self.palettes += [used for used in one.palettes if used not in self.palettes]
        self.add_colours(one.colours)
        for code in one.colours:
            self.where.setdefault(("colour", code), path)

    def add_colours(self, found):
        """Adds counted colours."""
        for code, counts in found.items():
            self.colours[code] = self.colours.get(code, 0) + counts


def survey(paths, progress=None):
    """Looks at all masks.

    Args:
        paths: their files.
        progress: called as progress(done, total) after each.

    Returns:
        `Survey`.
    """

    def look(path):
        one = Survey(lossy=is_lossy(path))
        try:
            for size, values in pieces(path):
                one.sizes[path] = size
                if values.ndim == 3:
                    one.add_colours(colours.count_colours(values, one.lossy))
                else:
                    counted = np.unique(values, return_counts=True)
                    one.values.update(dict(zip(*map(np.ndarray.tolist, counted), strict=True)))
            if one.values:
                palette = read_palette(path)
                used = palette and tuple((k, palette.get(k)) for k in sorted(one.values))
                one.palettes.append(used)
        except TfsegError as error:
            return path, Survey(failed=[(path, str(error))])
        return path, one

    whole = Survey()
    for path, one in in_parallel(look, paths, progress, len(paths)):
        whole.add(path, one)
    return whole
