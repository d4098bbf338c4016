"""What the rows of a run's log say: the newest update, the mean of the last, and the speed."""

import collections
import contextlib
import time

# Updates whose mean loss a row has.
_WINDOW = 20


class Meter:
    """Counts and measures between two rows.

    Args:
        config: `TrainConfig`.
        steps_per_epoch: updates in an epoch.
        groups: the `Group`s.
        losses: those of the last updates before.

    Attributes:
        losses: of the last updates.
        latest: {name: number} of `TrainStep`'s `METRICS` in the newest update.
        rate: the newest update's learning rate.
    """

    def __init__(self, config, steps_per_epoch, groups, losses):
        self._batch, self._per_epoch, self._groups = (
            config.effective_batch,
            steps_per_epoch,
            groups,
        )
        self.losses = collections.deque(losses, _WINDOW)
        self.latest, self.rate = {}, 0.0
        self.start(0)

    def start(self, step):
        """Measures the speed from here on."""
        self._waited, self._since, self._since_step = 0.0, time.monotonic(), step

    @contextlib.contextmanager
    def waiting(self):
        """While samples are waited for."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def columns(self, scores):
        """The columns of rows, those of a validation among them, without those of the speed."""
        rates = (f"learning_rate/{group.name}" for group in self._groups)
        return ("step", "epoch", "loss", "loss_average", *rates, "gradient_norm", *scores)

    def row(self, step):
        """The row of an update."""
        seconds = time.monotonic() - self._since
        return {
            "step": step,
            "epoch": step / self._per_epoch,
            "loss": self.latest["loss"],
            "loss_average": sum(self.losses) / len(self.losses),
            **{f"learning_rate/{g.name}": self.rate * g.learning_rate for g in self._groups},
            "gradient_norm": self.latest["gradient_norm"],
            "images_per_second": (step - self._since_step) * self._batch / seconds,
            "data_wait": self._waited / seconds,
        }
