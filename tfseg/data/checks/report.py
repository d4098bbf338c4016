"""What a check of a data folder has found."""

import collections
import dataclasses

import numpy as np

from tfseg.words import counted


@dataclasses.dataclass
class SplitCheck:
    """What was found in one split.

    Attributes:
        pairs: how many images it lists.
        sizes: {(width, height): number of images}.
        pixels: int64 [num_classes], labelled pixels of each class in what was decoded.
        ignored: pixels with the ignore label.
        decoded: how many of the label maps were.
        wrong: whether label maps have values that mean nothing; which classes are missing then is
            beside the point.
        empty: the titles of those without one pixel that counts.
        warnings: one line each for label maps and classes without pixels.
    """

    pairs: int
    sizes: collections.Counter
    pixels: np.ndarray
    ignored: int = 0
    decoded: int = 0
    wrong: bool = False
    empty: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class CheckReport:
    """The result of `check_dataset`.

    Attributes:
        errors: one line each for what is wrong; empty if nothing is.
        warnings: one line each for what training can use, but is rarely meant.
        splits: {split: `SplitCheck`} of those whose lists could be read.
        classes: a name per class.
        quick: whether only a sample of the files was decoded.
    """

    errors: list
    warnings: list
    splits: dict
    classes: list
    quick: bool

    def __repr__(self):
        pairs = ", ".join(f"{split.pairs} {name}" for name, split in self.splits.items())
        found = f"{counted(len(self.errors), 'error')}, {counted(len(self.warnings), 'warning')}"
        return f"<CheckReport, images: {pairs or 'none'}; {found}>"

    @property
    def frequencies(self):
        """{split: float64 [num_classes]}: each class's share of the pixels that count."""
        return {
            name: split.pixels / max(split.pixels.sum(), 1) for name, split in self.splits.items()
        }

    def table(self):
        """The splits and their class frequencies as text."""
        lines = [f"{'split':<12}{'images':>8}{'ignored':>10}  sizes (width x height)"]
        for name, split in self.splits.items():
            total = split.pixels.sum() + split.ignored
            lines.append(
                f"{name:<12}{split.pairs:>8}{split.ignored / max(total, 1):>10.2%}  "
                f"{_describe_sizes(split.sizes)}"
            )
        heads = "".join(f"{name:>12}" for name in self.splits)
        title = "share of labels" if not self.quick else "share (sample)"
        width = max(map(len, (*self.classes, title)))
        lines += ["", f"{'':>4} {title:<{width}}{heads}"]
        frequencies = self.frequencies
        for index, name in enumerate(self.classes):
            shares = "".join(f"{frequencies[split][index]:>12.3%}" for split in self.splits)
            lines.append(f"{index:>4} {name:<{width}}{shares}")
        return "\n".join(lines)


def _describe_sizes(sizes):
    common = [f"{width}x{height}" for (width, height), _ in sizes.most_common(3)]
    more = len(sizes) - len(common)
    return ", ".join(common) + (f" and {more} more" if more else "")
