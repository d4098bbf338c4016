"""The numbers of each image while a model is evaluated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfseg.evaluation.judge import measures_for, settings_for
from tfseg.evaluation.measures import Maps, measure
from tfseg.evaluation.metrics import MEASURES, METRICS
from tfseg.evaluation.records import Records
from tfseg.evaluation.truth import Predicted
from tfseg.parallel import Behind

# What doesn't look at neighbours costs nothing beside a network.
QUICK = [name for name, row in METRICS.items() if MEASURES[row.measure].quick]

# Bytes of images' numbers that workers add up at once.
_CHUNK = 1 << 24


class Recorder(Behind):
    """Takes what a model predicts, as `Evaluator` hands it over; a thread counts.

    Use it in a `with` block, at whose end `records` is there.

    Args:
        names: of the images of the list that is evaluated.
        classes: the class names.
        metrics: names of `METRICS`; default those that are quick to take.
        categories: {category: [class names]}; default those of Cityscapes and COCO-Stuff, where the
            classes are theirs.
        facts: what goes into `Records.facts` beside the classes.
        probabilities: whether what is predicted has them.
    """

    def __init__(
        self,
        names: Sequence[str],
        classes: Sequence[str],
        metrics: Sequence[str] | None = None,
        categories: Mapping[str, Sequence[str]] | None = None,
        facts: Mapping[str, Any] | None = None,
        probabilities: bool = False,
    ):
        super().__init__(self._put)
        self._settings, about = settings_for(classes, categories)
        self._measures = measures_for(metrics, self._settings, probabilities, QUICK)
        self.records = Records.empty(
            names, self._settings, self._measures, {**about, **(facts or {})}
        )

    def gather(self, add: Callable[[np.ndarray], np.ndarray]) -> None:
        """Takes over what other workers have seen, since each sees images of its own.

        Args:
            add: function of an array to its sum over all workers, as `Evaluator.sum_over_workers`;
                they call it in step.
        """
        step = max(1, _CHUNK // (8 * self.records.row_length))
        for start in range(0, len(self.records), step):
            part = range(start, min(start + step, len(self.records)))
            rows = add(np.stack([self.records.row(index) for index in part]))
            for index, row in zip(part, rows, strict=True):
                self.records.put(index, row)

    def _put(self, predicted: Predicted) -> None:
        maps = Maps(predicted.truth, predicted.labels, predicted.probabilities)
        self.records.put(predicted.index, measure(maps, self._settings, self._measures))
