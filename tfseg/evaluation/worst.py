"""Errors worth looking at: likely wrong labels, and what is missed and mistaken of each class."""

import functools
from collections.abc import Callable

import numpy as np

from tfseg.data.info import DataInfo
from tfseg.data.lists import ImageList
from tfseg.evaluation.judge import run_all
from tfseg.evaluation.predictions import Reading, read_prediction
from tfseg.evaluation.suspects import Suspect, find_mistakes, find_suspects, ranked
from tfseg.evaluation.truth import Truth


class Worst:
    """Keeps the worst of what is looked at, of any number of images.

    Args:
        num_classes: C.
        suspects: how many likely wrong labels to keep.
        each: how many regions of each class.

    Attributes:
        with_probabilities: whether there were any, without which there are no suspects.
        suspects: likely wrong labels, as `Suspect`, the worst first.
        missed, mistaken: for each class, the largest regions of it that got another class, and of
            others that got it.
    """

    def __init__(self, num_classes: int, suspects: int = 1000, each: int = 6):
        self._count, self._each = suspects, each
        self.with_probabilities = False
        self.suspects: list[Suspect] = []
        self.missed: list[list[Suspect]] = [[] for _ in range(num_classes)]
        self.mistaken: list[list[Suspect]] = [[] for _ in range(num_classes)]

    def add(self, likely: list[Suspect] | None, wrong: list[Suspect]) -> None:
        """Takes what `look` returned."""
        self.with_probabilities |= likely is not None
        self.suspects = ranked([*self.suspects, *(likely or ())], self._count)
        for one in wrong:
            for places, index in ((self.missed, one.given), (self.mistaken, one.suggested)):
                if index < len(places):
                    places[index] = ranked([*places[index], one], self._each)


def look(
    name: str, truth: np.ndarray, labels: np.ndarray, probabilities: np.ndarray | None
) -> tuple[list[Suspect] | None, list[Suspect]]:
    """The suspects of an image, None without probabilities, and its mistakes.

    Args:
        name, truth, labels, probabilities: as for `find_suspects` and `find_mistakes`.
    """
    likely = None if probabilities is None else find_suspects(name, truth, probabilities)
    return likely, find_mistakes(name, truth, labels)


def find_worst(
    image_list: ImageList,
    paths: list[str],
    rule: Reading,
    info: DataInfo,
    *,
    suspects: int = 1000,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Worst:
    """Looks through checked predictions.

    Args:
        image_list: with labels.
        paths: the prediction of each image.
        rule: how they are read.
        info: the data folder's.
        suspects: how many likely wrong labels to name.
        jobs: processes; default one for each core.
        progress: called as progress(done, total), with numbers of images.
    """
    calls = [(image_list.pick([index]), path) for index, path in enumerate(paths)]
    worst = Worst(rule.num_classes, suspects)
    work = functools.partial(_look_at_file, info, rule)
    for done, found in enumerate(run_all(work, calls, len(calls), jobs), 1):
        worst.add(*found)
        if progress:
            progress(done, len(calls))
    return worst


def _look_at_file(info, rule, image_list, path):
    truth = Truth(image_list, rule.num_classes, info.label_map, info.ignore_label).labels(0)
    labels, probabilities = read_prediction(path, truth.shape, rule)
    return look(image_list.names[0], truth, labels, probabilities)
