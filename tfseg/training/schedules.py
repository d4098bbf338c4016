"""Learning-rate schedules as functions of the step alone, so that a resumed run needs no state."""

import dataclasses
import math
from typing import Any

from tfseg.checks import is_number
from tfseg.errors import TfsegError
from tfseg.tables import Row, Table
from tfseg.training.values import interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleRow(Row):
    """A schedule: `code` is a function of step, length and run.

    Attributes:
        options: settings of `TrainConfig` that it looks at, besides those that all have. A plain
            `Row` may look at any.
    """

    options: tuple[str, ...] = ()


def _row_of(name: str, schedule: Any) -> Row:
    if not callable(schedule):
        raise TypeError(
            "`lr_schedule` must be a name, a Row, or a function of step, length and run"
        )
    return Row(name=name, code=schedule)


SCHEDULES: Table[Row] = Table(
    "lr_schedule",
    [
        ScheduleRow(
            name="poly",
            code=f"{__name__}:poly",
            help="(1 - t/T)^lr_power",
            options=("lr_power",),
        ),
        ScheduleRow(
            name="step",
            code=f"{__name__}:staircase",
            help="times lr_decay_rate after every lr_step_size",
            options=("lr_step_size", "lr_decay_rate"),
        ),
        ScheduleRow(name="constant", code=f"{__name__}:constant"),
        ScheduleRow(
            name="cosine",
            code=f"{__name__}:cosine",
            help="half a cosine, down to lr_final",
            options=("lr_final",),
        ),
        ScheduleRow(
            name="one_cycle",
            code=f"{__name__}:one_cycle",
            help="up from 1/25 until lr_peak, then down to lr_final, in cosines",
            options=("lr_final", "lr_peak"),
        ),
    ],
    _row_of,
)


class Schedule:
    """The learning rate at every step of a run: `config.learning_rate` times a factor.

    In the first `config.lr_warmup_steps` updates it rises linearly, without reaching the full
    rate; the schedule follows, over the rest of the run. A schedule is a function (t, T, this
    object), where t is the step, rounded down to a multiple of `config.lr_update_every`, and T the
    length, both counted from the end of the warm-up; it returns the factor.

    Args:
        config: `TrainConfig`.
        total_steps: updates in the run.
        steps_per_epoch: updates in an epoch.
    """

    def __init__(self, config, total_steps, steps_per_epoch):
        self.config = config
        self.total_steps = total_steps
        self.warmup = config.lr_warmup_steps
        self.period = interval("lr_update_every", config.lr_update_every, steps_per_epoch)
        per_epoch = config.lr_update_every == "epoch"
        self.step_size = config.lr_step_size * (steps_per_epoch if per_epoch else 1)
        self._factor = SCHEDULES.find(config.lr_schedule).load()

    def __call__(self, step):
        """The learning rate of update number `step`, counted from 0."""
        if step < self.warmup:
            return self.config.learning_rate * (step + 1) / (self.warmup + 1)
        # Epochs are those of the run, so that only the first after the warm-up is shorter.
        step = max(step // self.period * self.period, self.warmup) - self.warmup
        total = self.total_steps - self.warmup
        factor = self._factor(step, total, self)
        if not is_number(factor, 0):
            raise TfsegError(
                f"the lr_schedule {self.config.text('lr_schedule')} must give a finite number from "
                f"0, not {factor!r} (step {step} of {total})"
            )
        return self.config.learning_rate * factor


def poly(step, total, run):
    """Liu et al., "ParseNet", 2015, section 3.3; Chen et al., "DeepLab", 2017, section 4.1.2."""
    return (1 - step / total) ** run.config.lr_power


def staircase(step, total, run):
    """``rate ** floor(t / step_size)``, with the size in epochs if the rate changes by epochs."""
    return run.config.lr_decay_rate ** math.floor(step / run.step_size)


def constant(step, total, run):
    """1."""
    return 1.0


def cosine(step, total, run):
    """Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts."""
    return _between(1.0, run.config.lr_final, step / total)


def one_cycle(step, total, run):
    """Smith and Topin, "Super-Convergence", 2019, in PyTorch's form; momentum stays as it is."""
    peak = run.config.lr_peak * total
    if step < peak:
        return _between(1 / 25, 1.0, step / peak)
    return _between(1.0, run.config.lr_final, (step - peak) / (total - peak))


def _between(start, end, share):
    """From `start` to `end` by half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
