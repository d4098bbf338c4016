"""Errors worth looking at: likely wrong labels, and what is missed and mistaken of each class."""

import collections
import dataclasses
import functools
from collections.abc import Callable

from tfseg.data.info import DataInfo
from tfseg.data.lists import ImageList
from tfseg.evaluation.judge import run_all
from tfseg.evaluation.predictions import Reading, read_prediction
from tfseg.evaluation.suspects import Suspect, find_mistakes, find_suspects, ranked
from tfseg.evaluation.truth import Truth


@dataclasses.dataclass(frozen=True)
class Worst:
    """What was found, the worst first.

    Attributes:
        with_probabilities: whether there are any, without which there are no suspects.
        suspects: likely wrong labels.
        missed, mistaken: for each class, the largest regions of it that got another class, and of
            others that got it.
    """

    with_probabilities: bool
    suspects: list[Suspect]
    missed: list[list[Suspect]]
    mistaken: list[list[Suspect]]


def find_worst(
    image_list: ImageList,
    paths: list[str],
    rule: Reading,
    info: DataInfo,
    *,
    suspects: int = 1000,
    each: int = 6,
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
        each: how many regions of each class.
        jobs: processes; default one for each core.
        progress: called as progress(done, total), with numbers of images.
    """
    calls = [(image_list.pick([index]), path) for index, path in enumerate(paths)]
    found: list[Suspect] = []
    missed, mistaken = (collections.defaultdict(list) for _ in range(2))
    work = functools.partial(_look, info, rule)
    with_probabilities = False
    for done, (likely, wrong) in enumerate(run_all(work, calls, len(calls), jobs), 1):
        with_probabilities |= likely is not None
        found = ranked([*found, *(likely or ())], suspects)
        for one in wrong:
            for places, index in ((missed, one.given), (mistaken, one.suggested)):
                places[index] = ranked([*places[index], one], each)
        if progress:
            progress(done, len(calls))
    classes = range(rule.num_classes)
    return Worst(
        with_probabilities, found, [missed[i] for i in classes], [mistaken[i] for i in classes]
    )


def _read(info, rule, image_list, path):
    truth = Truth(image_list, rule.num_classes, info.label_map, info.ignore_label).labels(0)
    return (truth, *read_prediction(path, truth.shape, rule))


def _look(info, rule, image_list, path):
    truth, labels, probabilities = _read(info, rule, image_list, path)
    (name,) = image_list.names
    likely = None
    if probabilities is not None:
        likely = find_suspects(name, truth, probabilities)
    return likely, find_mistakes(name, truth, labels)
