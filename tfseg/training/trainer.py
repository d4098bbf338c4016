"""The training loop."""

import collections
import contextlib
import dataclasses
import functools
import itertools
import math
import signal
import time

import tensorflow as tf

from tfseg import runs
from tfseg.data import pipeline_errors
from tfseg.errors import TfsegError
from tfseg.training.console import Console
from tfseg.training.logs import RunLog
from tfseg.training.pace import Allowance, Pace
from tfseg.training.plan import check_replicas
from tfseg.training.recovery import StopSignals, non_finite
from tfseg.training.schedules import Schedule
from tfseg.training.segmentation import Segmentation
from tfseg.training.session import Session
from tfseg.training.step import METRICS
from tfseg.training.strategy import count_workers, create_strategy, is_chief
from tfseg.training.values import interval

LOSS_WINDOW = 20
# The length for schedules before time has told it: all of them stand at their beginnings.
_UNKNOWN = 2**40


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a call of `train` has come to.

    Attributes:
        step: updates done in the whole run.
        best: scores of the best validation and its "step", or None.
        stopped_by: the signal that ended it early, saved and ready to be continued, or 0.
    """

    step: int
    best: dict | None
    stopped_by: int = 0


def train(config, progress_bar=False, task=None, allowance=None):
    """Trains a model, or continues where the run directory's last checkpoint stands.

    The result depends on the settings alone: not on the number of replicas or workers, nor on
    interruptions. With `minutes` it also depends on how many updates were made in them.

    Args:
        config: `TrainConfig`.
        progress_bar: show a bar on stderr instead of logging lines.
        task: what is trained; None for `Segmentation`.
        allowance: what `minutes` count as well, an `Allowance`; None: from this call to its end.

    Returns:
        `TrainResult`.

    Raises:
        TfsegError: whatever the user can put right; checkpoints saved before are whole.
    """
    allowance = allowance or Allowance(time.monotonic())
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = create_strategy(config.strategy, config.replicas)
    several = count_workers(strategy) > 1
    if several and config.minutes:
        raise TfsegError("`minutes` are those of one machine: give several workers `steps`")
    try:
        check_replicas(config, strategy)
        task = task or Segmentation()
        plan = task.plan(config)
        # Several workers of a run are one: the chief speaks for all.
        alone = runs.locked(config.run_dir) if is_chief(strategy) else contextlib.nullcontext()
        with alone:
            session = Session(config, plan, strategy, task)
            return Trainer(session, several, allowance).run(progress_bar)
    except tf.errors.UnimplementedError as error:
        if not config.deterministic or "determinis" not in error.message:
            raise
        reason = error.message.strip().splitlines()[0]
        raise TfsegError(
            f"`deterministic` isn't for this network on this device: {reason}"
        ) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not several:
            raise
        raise TfsegError(
            "lost contact with another worker: start all workers again to continue from the last "
            "checkpoint"
        ) from error


class Trainer:
    """Runs the updates of a session and what comes between them.

    Args:
        session: `Session`.
        several_workers: whether other processes have to agree on when to stop.
        allowance: see `train`.
    """

    def __init__(self, session, several_workers=False, allowance=None):
        self.session = session
        self.config, self.plan, self.task = session.config, session.plan, session.task
        self.several_workers = several_workers
        per_epoch, self.pace = self.plan.steps_per_epoch, None
        self.schedule = self._schedule()
        self.validate_every = interval("validate_every", self.config.validate_every, per_epoch)
        self.checkpoint_every = interval(
            "checkpoint_every", self.config.checkpoint_every, per_epoch
        )
        self.validator = None
        if self.plan.val:
            self.validator = self.task.validator(
                session.model, self.config, self.plan, session.strategy
            )
        if session.total_steps is None:
            self.pace = self._measure(allowance)
        self.losses = collections.deque(session.values["losses"], LOSS_WINDOW)
        self.pending = collections.deque()
        self.signals, self.stop = StopSignals(), False
        self.console = self.log = None
        # The newest update's numbers and learning rate; seconds that samples were waited for since
        # a time and a step.
        self.latest, self.rate = {}, 0.0
        self.waited, self.since, self.since_step = 0.0, 0.0, 0

    def _schedule(self):
        total = self.session.total_steps
        total = _UNKNOWN if total is None else total
        return Schedule(self.config, total, self.plan.steps_per_epoch)

    def _measure(self, allowance):
        """The `Pace` of a run whose minutes are still to be laid out."""
        config, length = self.config, self.session.values["length"] or {}
        # A validation has no gradient, but whole images.
        likely = len(self.plan.val or ()) / config.effective_batch / 2
        seconds = 60 * config.minutes - length.get("spent", 0.0)
        return Pace(seconds, allowance, likely, self.validate_every, self.checkpoint_every)

    def run(self, progress_bar=False):
        """Trains to the end, or until a signal; returns a `TrainResult`."""
        first, chief = self.session.values["step"], self.session.chief
        self.console = Console(
            self.session.total_steps,
            first,
            progress_bar,
            quiet=not chief,
            validate_every=self.validate_every if self.validator else None,
        )
        try:
            if self.session.finished:
                self._announce(first)
                return TrainResult(first, self.session.values["best"])
            if chief:
                self._open_log(first)
            with self.signals:
                self._announce(first)
                if self.session.values["row"]:
                    self._finish_row(self.session.values["row"], {"log", "validate"})
                    if not self.stop:
                        self._save()
                patient = not self.session.out_of_patience
                if first != self.session.total_steps and patient and not self.stop:
                    self._loop(first)
                return self._result()
        finally:
            self.console.close()
            if self.log:
                self.log.close()

    def _open_log(self, first):
        values = self.session.values
        # A row that waits for its validation is written when that is done.
        known, logged = first - bool(values["row"]), values.get("logged", 0)
        columns = self.task.columns(self.plan)
        self.log = RunLog(self.config.run_dir, self.session.groups, columns, known, logged)
        since, flags = values["record"][-1]
        if since == first:
            self.log.text("flags", flags, first + 1)

    def _save(self):
        if self.log:
            self.log.flush()
        if self.pace and self.session.values["length"]:
            self.session.values["length"]["spent"] = self._spent()
        self.session.save()

    def _announce(self, first):
        plan, replicas = self.plan, self.session.strategy.num_replicas_in_sync
        weights = sum(math.prod(v.shape) for v in self.session.model.trainable_variables)
        val = f", {len(plan.val)} for validation" if plan.val else ""
        devices = f", {replicas} replicas" if replicas > 1 else ""
        total, minutes = self.session.total_steps, self.config.minutes
        length = f"for {minutes:g} min in steps" if total is None else f"{total} steps"
        self.console.line(
            f"{plan.spec.name}: {weights / 1e6:.1f} million weights, {plan.spec.num_classes} "
            f"classes; {len(plan.train)} images{val}; {length} of "
            f"{self.config.effective_batch}{devices}"
        )
        if (total is not None and first >= total) or self.session.out_of_patience:
            self.console.line(f"{self.config.run_dir} is finished: it is at step {first}")
        elif first:
            self.console.line(f"continuing {self.config.run_dir} after step {first}")

    def _loop(self, first):
        config, average = self.config, self.session.average
        with pipeline_errors(self.plan.train):
            dataset = self.task.dataset(config, self.plan, self.session.strategy, first)
        update = self.session.train_step(dataset.element_spec)
        batches = iter(dataset)
        self._start_timing(first)
        for step in itertools.count(first + 1):
            start = time.monotonic()
            with pipeline_errors(self.plan.train):
                batch = tuple(next(batches) for _ in range(config.accumulation_steps))
            self.waited += time.monotonic() - start
            decay = average.decay_at(step - 1) if average else 0.0
            self.rate, asked = self.schedule(step - 1), bool(self.signals.received)
            self.pending.append((step, update(batch, self.rate, decay, asked)))
            # One update late, so that an accelerator always has the next one in its queue.
            self._settle(keep=1)
            if self.pace and step > first + 1:
                self.pace.took(time.monotonic() - start)
                self._lay(step)
            due = self._due(step)
            if due or self._heed_signals():
                self._settle(keep=0)
                self._events(step, due)
            elif step == first + 1:
                self._settle(keep=0)
                # The first update is traced and compiled, which would spoil the speed.
                self._start_timing(step)
            if self.stop or step == self.session.total_steps:
                break
            if self.session.out_of_patience:
                self.console.line(
                    f"ends at step {step}: no better score in {config.patience} validations"
                )
                break

    def _lay(self, step):
        """Lays the run's length over its minutes, for the first time or because they have shown
        that fewer or more updates fit."""
        earlier = self.session.total_steps
        total = self.pace.length(step, earlier)
        if total == earlier:
            return
        self.session.lay(step, total, self._spent())
        self.schedule = self._schedule()
        self.console.total = total
        if earlier is None:
            self.console.line(f"{self.config.minutes:g} min allow about {total} steps")

    def _spent(self):
        """Seconds of the run so far, in earlier calls too."""
        return 60 * self.config.minutes - self.pace.seconds + self.pace.spent()

    def _heed_signals(self):
        """Takes over a signal's wish; returns whether the run is to stop."""
        # Several workers have to stop after the same update: they agree in its metrics.
        self.stop |= bool(self.signals.received) and not self.several_workers
        return self.stop

    def _due(self, step):
        """Which events come after this update: a set of "log", "validate", "checkpoint"."""
        if step == self.session.total_steps:
            return {"log", "validate", "checkpoint"}
        periods = {
            "log": self.config.log_every,
            "validate": self.validate_every,
            "checkpoint": self.checkpoint_every,
        }
        return {name for name, period in periods.items() if period and step % period == 0}

    def _settle(self, keep):
        """Reads the numbers of all updates but the last `keep`."""
        while len(self.pending) > keep:
            step, metrics = self.pending.popleft()
            self.latest = dict(zip(METRICS, metrics.numpy().tolist(), strict=True))
            self._check_finite(step)
            self.stop |= self.latest["stop"] > 0
            self.losses.append(self.latest["loss"])
            self.console.step(step, self.latest["loss"])

    def _check_finite(self, step):
        values = self.latest
        # float16 overflows in the gradient now and then; a smaller loss scale is the cure.
        curable = values["loss_scale"] > 1 and math.isfinite(values["loss"])
        if values["finite"] or (self.session.loss_scale and curable):
            return
        raise non_finite(
            step,
            values["loss"],
            values["gradient_norm"],
            self.schedule(step - 1),
            self.task.files_of_step(self.config, self.plan, self.session.strategy, step - 1),
            self.session.checkpoints.latest_step,
        )

    def _events(self, step, due):
        """Validation, log and checkpoint after an update, in the order that a resume relies on."""
        start = time.monotonic()
        self.session.values.update(step=step, losses=list(self.losses))
        self._finish_row(self._row(step), due)
        if "checkpoint" in due or self._heed_signals() or self.session.out_of_patience:
            self._save()
        if self.pace:
            self.pace.took(time.monotonic() - start, due)
        self._start_timing(step)

    def _finish_row(self, row, due):
        """Validates if it is due, and writes the row; what a signal cuts short, a resume does."""
        values = self.session.values
        values["row"] = None
        if "validate" in due:
            try:
                row = {**row, **self._validate(row["step"])}
            except _Interrupted:
                self.stop, values["row"] = True, row
                return
        if due & {"log", "validate"}:
            values["logged"] = row["step"]
            if self.log:
                self.log.row(row)
        if "log" in due:
            self.console.row(row)

    def _start_timing(self, step):
        self.waited, self.since, self.since_step = 0.0, time.monotonic(), step

    def _row(self, step):
        seconds = time.monotonic() - self.since
        return {
            "step": step,
            "epoch": step / self.plan.steps_per_epoch,
            "loss": self.latest["loss"],
            "loss_average": sum(self.losses) / len(self.losses),
            **{f"learning_rate/{g.name}": self.rate * g.learning_rate for g in self.session.groups},
            "gradient_norm": self.latest["gradient_norm"],
            "images_per_second": (step - self.since_step) * self.config.effective_batch / seconds,
            "data_wait": self.waited / seconds,
        }

    def _validate(self, step):
        """The scores of a validation; the weights are kept if they are the best so far."""
        with self.session.evaluated_weights():
            if not self.validator:
                self.session.save_best()
                return {}
            with self.console.validation() as show:
                scores = self.validator.scores(functools.partial(self._progress, show))
            best = self.session.values["best"]
            name = self.task.score
            self.session.values["stale"] += 1
            if best is None or (scores[name] or 0.0) > (best[name] or 0.0):
                self.session.values["stale"] = 0
                self.session.save_best()
                self.session.values["best"] = best = {"step": step, **scores}
            if self.log:
                for index, picture in enumerate(self.validator.panels()):
                    self.log.image(f"validation/{index}", picture, step)
        self.console.line(f"step {step}: {self.task.describe(scores, best)} at step {best['step']}")
        return scores

    def _progress(self, show, done, total):
        show(done, total)
        if self._heed_signals():
            raise _Interrupted

    def _result(self):
        values, number = self.session.values, 0
        if self.stop:
            # Another worker may have got the signal.
            number = self.signals.received or int(signal.SIGTERM)
            self.console.line(
                f"stopped by {signal.Signals(number).name} and saved at step {values['step']}; "
                "the same command continues"
            )
        return TrainResult(values["step"], values["best"], number)


class _Interrupted(Exception):
    """A signal came during a validation."""
