"""How many updates fit into a time: measured on the first, and looked at again as others come."""

import bisect
import collections
import dataclasses
import time
from collections.abc import Callable

# Updates whose mean duration stands for those to come, and with how many of them it starts.
_WINDOW, _FIRST = 50, 5
# How far from the asked time, as a share of it, the forecast may be before the length is laid anew.
_TOLERANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Allowance:
    """What a caller of the trainer spends of a run's minutes itself.

    Attributes:
        started: `time.monotonic()` at the call that the minutes count from.
        closing: function (seconds of the first validation, with all that is built for it) to the
            seconds that the caller needs once the last update is validated.
    """

    started: float
    closing: Callable[[float], float] = lambda validation: 0.0


class Pace:
    """Lays the length of a run over a time.

    Args:
        seconds: that the run may take.
        allowance: `Allowance`.
        validation: what a validation is likely to take before one was made, in updates.
        validate_every, checkpoint_every: updates between two; 0 for none before the end.

    Attributes:
        steps: the durations of the last updates, without what came between them.
    """

    def __init__(self, seconds, allowance, validation, validate_every, checkpoint_every):
        self.seconds, self.allowance = seconds, allowance
        self.deadline = allowance.started + seconds
        self.steps = collections.deque(maxlen=_WINDOW)
        self._likely = validation
        self._periods = {"validate": validate_every, "checkpoint": checkpoint_every}
        self._first, self._last = None, {}

    def spent(self):
        """Seconds since the call that the minutes count from."""
        return time.monotonic() - self.allowance.started

    def took(self, seconds, due=()):
        """Notes how long an update took, or what was `due` after one."""
        if not due:
            self.steps.append(seconds)
        elif "validate" in due:
            # The first builds what the others use.
            self._first = seconds if self._first is None else self._first
            self._last["validate"] = seconds
        elif "checkpoint" in due:
            self._last["checkpoint"] = seconds

    def length(self, step, total):
        """Updates in the whole run, as known after `step` of them.

        Args:
            step: updates done.
            total: the length so far, or None.

        Returns:
            `total` itself while it is right, or nothing is known yet; never less than `step`.
        """
        now = time.monotonic()
        if len(self.steps) < _FIRST and now < self.deadline:
            return total
        left = self.deadline - now - self._closing()
        if total is not None and step < total:
            wrong = self._needed(step, total - step) - left
            if abs(wrong) <= _TOLERANCE * self.seconds:
                return total
        most = max(int(left / self._step()), 0)
        fitting = bisect.bisect_right(range(1, most + 1), left, key=lambda n: self._needed(step, n))
        return step + fitting

    def _step(self):
        return max(sum(self.steps) / max(len(self.steps), 1), 1e-6)

    def _validation(self):
        return self._last.get("validate", self._likely * self._step())

    def _closing(self):
        """From the last update to the end: its validation, and what the caller does then."""
        built = self._validation() if self._first is None else self._first
        return self._validation() + self.allowance.closing(built)

    def _needed(self, step, updates):
        """Seconds of so many updates after `step` with what lies between them."""
        costs = {"validate": self._validation(), "checkpoint": self._last.get("checkpoint", 0.0)}
        events = sum(
            costs[name] * ((step + updates - 1) // period - step // period)
            for name, period in self._periods.items()
            if period
        )
        return updates * self._step() + events
