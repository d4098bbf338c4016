"""The training loop."""

import collections
import contextlib
import itertools
import math
import signal
import time

import tensorflow as tf

from tfseg import runs
from tfseg.data import pipeline_errors
from tfseg.errors import TfsegError
from tfseg.training.callbacks import Callbacks, Run, TrainResult, checked
from tfseg.training.console import Console
from tfseg.training.determinism import settle_order
from tfseg.training.logs import Board, CsvLog
from tfseg.training.memory import check_memory
from tfseg.training.meter import Meter
from tfseg.training.pace import Allowance, Pace
from tfseg.training.plan import check_replicas
from tfseg.training.recovery import StopSignals, non_finite
from tfseg.training.schedules import Schedule
from tfseg.training.segmentation import Segmentation
from tfseg.training.session import Session
from tfseg.training.step import METRICS
from tfseg.training.strategy import count_workers, create_strategy, is_chief
from tfseg.training.trackers import TRACKERS
from tfseg.training.validation import Interrupted, Validations
from tfseg.training.values import interval
from tfseg.words import counted

# The length for schedules before time has told it: all of them stand at their beginnings.
_UNKNOWN = 2**40


def train(config, progress_bar=False, task=None, allowance=None, callbacks=()):
    """Trains a model, or continues where the run directory's last checkpoint stands.

    The result depends on the settings alone: not on the number of replicas or workers, nor on
    interruptions. With `minutes` it also depends on how many updates were made in them.

    Args:
        config: `TrainConfig`.
        progress_bar: show a bar on stderr instead of logging lines.
        task: what is trained; None for `Segmentation`.
        allowance: what `minutes` count as well, an `Allowance`; None: from this call to its end.
        callbacks: of `Callback`, told after the run's own log.

    Returns:
        `TrainResult`.

    Raises:
        TfsegError: whatever the user can put right; checkpoints saved before are whole.
    """
    allowance = allowance or Allowance(time.monotonic())
    if config.deterministic:
        settle_order()
    strategy = create_strategy(config.strategy, config.replicas)
    several = count_workers(strategy) > 1
    trackers = [TRACKERS.find(config.tracker).load()()] if config.tracker else []
    callbacks = [*trackers, *checked(callbacks)]
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
            return Trainer(session, callbacks, several, allowance).run(progress_bar)
    except tf.errors.UnimplementedError as error:
        if not config.deterministic or "determinis" not in error.message:
            raise
        reason = error.message.strip().splitlines()[0]
        raise TfsegError(
            f"`deterministic` isn't for this network on this device: {reason}"
        ) from error
    except tf.errors.ResourceExhaustedError as error:
        if "allocat" not in error.message:
            raise
        raise TfsegError(
            "memory ran out: try a smaller `batch_size` with `accumulation_steps`, `remat`, or a "
            f"smaller `crop_size` ({error.message.strip().splitlines()[0]})"
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
        callbacks: of `Callback`, beside the run's own.
        several_workers: whether other processes have to agree on when to stop.
        allowance: see `train`.
    """

    def __init__(self, session, callbacks=(), several_workers=False, allowance=None):
        self.session, self.callbacks = session, callbacks
        self.config, self.plan, self.task = session.config, session.plan, session.task
        per_epoch, self.pace = self.plan.steps_per_epoch, None
        self.schedule = self._schedule()
        self.validate_every = interval("validate_every", self.config.validate_every, per_epoch)
        self.checkpoint_every = interval(
            "checkpoint_every", self.config.checkpoint_every, per_epoch
        )
        self.signals = StopSignals(several_workers)
        if session.total_steps is None:
            self.pace = self._measure(allowance)
        self.meter = Meter(self.config, per_epoch, session.groups, session.values["losses"])
        self.pending = collections.deque()
        self.console = self.told = self.validations = None

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
        values, result = self.session.values, None
        first = values["step"]
        self.console = console = self._console(progress_bar)
        members = [CsvLog(), Board(), console, *self.callbacks]
        self.told = Callbacks(members if self.session.chief else ())
        self.validations = Validations(self.session, self.console, self.signals)
        try:
            self.console.announce(self.session)
            if self.session.finished:
                return TrainResult(first, values["best"])
            with self.signals:
                work = self._work(first) if self._is_left(first) else None
                self.session.begin()
                self.told.start(self._facts())
                if values["row"]:
                    self._finish_row(values["row"], {"log", "validate"})
                    if not self.signals.stop:
                        self._save()
                if self._is_left(first) and not self.signals.stop:
                    self._loop(first, *work)
                result = self._result()
                return result
        finally:
            self.told.end(result)

    def _is_left(self, first):
        """Whether updates are left after the first so many."""
        return first != self.session.total_steps and not self.session.out_of_patience

    def _console(self, progress_bar):
        return Console(
            self.session.total_steps,
            self.session.values["step"],
            progress_bar,
            quiet=not self.session.chief,
            validate_every=self.validate_every if self.plan.val else None,
            log_every=self.config.log_every,
            describe=self.task.describe,
        )

    def _facts(self):
        """The `Run` that callbacks are told of."""
        values, plan = self.session.values, self.plan
        first = values["step"]
        return Run(
            config=self.config,
            spec=plan.spec,
            model=self.session.model,
            columns=self.meter.columns(self.task.columns(plan)),
            step=first,
            total_steps=self.session.total_steps,
            # A row that waits for its validation is told when that is done.
            reported=first - bool(values["row"]),
            last_row=values.get("logged", 0),
            changed=values["record"][-1][0] == first,
        )

    def _save(self):
        if self.pace and self.session.values["length"]:
            self.session.values["length"]["spent"] = self._spent()
        self.session.save()
        step = self.session.values["step"]
        self.told.checkpoint(step, runs.checkpoint_path(self.config.run_dir, step))

    def _work(self, first):
        """(dataset, update) from an update on, once it is known to fit into memory."""
        with pipeline_errors(self.plan.train):
            dataset = self.task.dataset(self.config, self.plan, self.session.strategy, first)
        update = self.session.train_step(dataset.element_spec)
        check_memory(self.session, update, dataset.element_spec)
        return dataset, update

    def _loop(self, first, dataset, update):
        config, average, meter = self.config, self.session.average, self.meter
        batches = iter(dataset)
        meter.start(first)
        for step in itertools.count(first + 1):
            start = time.monotonic()
            with meter.waiting(), pipeline_errors(self.plan.train):
                batch = tuple(next(batches) for _ in range(config.accumulation_steps))
            decay = average.decay_at(step - 1) if average else 0.0
            meter.rate, asked = self.schedule(step - 1), bool(self.signals.received)
            self.pending.append((step, update(batch, meter.rate, decay, asked)))
            # One update late, so that an accelerator always has the next one in its queue.
            self._settle(keep=1)
            if self.pace and step > first + 1:
                self.pace.took(time.monotonic() - start)
                self._lay(step)
            due = self._due(step)
            if due or self.signals.heed():
                self._settle(keep=0)
                self._events(step, due)
            elif step == first + 1:
                self._settle(keep=0)
                # The first update is traced and compiled, which would spoil the speed.
                meter.start(step)
            if self.signals.stop or step == self.session.total_steps:
                break
            if self.session.out_of_patience:
                self.console.line(
                    f"ends at step {step}: no better score in "
                    f"{counted(config.patience, 'validation')}"
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
            self.console.line(allowed(self.config, total))

    def _spent(self):
        """Seconds of the run so far, in earlier calls too."""
        return 60 * self.config.minutes - self.pace.seconds + self.pace.spent()

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
            latest = dict(zip(METRICS, metrics.numpy().tolist(), strict=True))
            self.meter.latest = latest
            self._check_finite(step, latest)
            self.signals.stop |= latest["stop"] > 0
            self.meter.losses.append(latest["loss"])
            self.console.step(step, latest["loss"])

    def _check_finite(self, step, values):
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
        self.session.values.update(step=step, losses=list(self.meter.losses))
        self._finish_row(self.meter.row(step), due)
        if "checkpoint" in due or self.signals.heed() or self.session.out_of_patience:
            self._save()
        if self.pace:
            self.pace.took(time.monotonic() - start, due)
        self.meter.start(step)

    def _finish_row(self, row, due):
        """Validates if it is due, and tells the row; what a signal cuts short, a resume does."""
        values = self.session.values
        values["row"] = None
        if "validate" in due:
            try:
                row = {**row, **self.validations(row["step"], self.told)}
            except Interrupted:
                self.signals.stop, values["row"] = True, row
                return
        if due & {"log", "validate"}:
            values["logged"] = row["step"]
            self.told.row(row)

    def _result(self):
        values = self.session.values
        if self.signals.stop:
            self.console.line(
                f"stopped by {signal.Signals(self.signals.number).name} and saved at step "
                f"{values['step']}; the same command continues"
            )
        return TrainResult(values["step"], values["best"], self.signals.number)


def allowed(config, total):
    """What the minutes of a run come to, in words."""
    text = f"{config.minutes:g} min allow about {counted(total, 'step')}"
    if config.lr_warmup_steps < total:
        return text
    return f"{text}, no more than the warm-up's {config.lr_warmup_steps}: it never ends"
