"""The numbers of each image while a model is evaluated."""

import collections
from concurrent import futures

from tfseg.evaluation.judge import measures_for, settings_for
from tfseg.evaluation.measures import Maps, measure
from tfseg.evaluation.records import Records
from tfseg.evaluation.truth import Predicted

# How many images may wait for their numbers.
_AHEAD = 8


class Recorder:
    """Takes what a model predicts, as `Evaluator` hands it over; a thread counts.

    Use it in a `with` block, at whose end `records` is there.

    Args:
        names: of the images of the list that is evaluated.
        classes: the class names.
        metrics: names of `METRICS`; None for all that label maps allow.
        facts: what goes into `Records.facts` beside the classes.
    """

    def __init__(self, names, classes, metrics=None, facts=None):
        self._settings, about = settings_for(classes)
        self._measures = measures_for(metrics, self._settings, probabilities=False)
        self.records = Records.empty(
            names, self._settings, self._measures, {**about, **(facts or {})}
        )
        self._pool = futures.ThreadPoolExecutor(1)
        self._pending = collections.deque()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            while self._pending and kind is None:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, predicted: Predicted) -> None:
        """Takes a `Predicted`."""
        if len(self._pending) == _AHEAD:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._put, predicted))

    def _put(self, predicted):
        maps = Maps(predicted.truth, predicted.labels)
        self.records.put(predicted.index, measure(maps, self._settings, self._measures))
