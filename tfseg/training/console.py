"""What a person sees of a run: a progress bar on a terminal, plain lines otherwise."""

import contextlib
import math
import time

from absl import logging
from tqdm import tqdm

from tfseg.training.callbacks import Callback
from tfseg.words import counted

# Seconds between two lines about one validation, where there is no bar.
_EVERY = 30


class Console(Callback):
    """Reports progress: beside what callbacks are told each update, and how far a validation is.

    Args:
        total: updates in the whole run; None while nothing is known of it.
        done: updates before this process started.
        progress_bar: a bar on stderr instead of a line for every row of the log.
        quiet: no output at all, for workers other than the chief.
        validate_every: updates between two validations, 0 for one at the end; None for none.
        log_every: updates between two lines; rows of validations in between have lines of theirs.
        describe: a validation in words, from its scores and the best ones.
    """

    def __init__(
        self,
        total,
        done=0,
        progress_bar=False,
        quiet=False,
        validate_every=None,
        log_every=1,
        describe=None,
    ):
        self.total, self.validate_every, self.log_every = total, validate_every, log_every
        self.describe = describe
        # How long the last validation took, and all of them since `begun`.
        self.validated, self.paused = None, 0.0
        self.first, self.begun = done, None
        self.quiet = quiet
        self.progress_bar, self.bar = progress_bar, None

    def start(self, run):
        """Shows the bar."""
        if self.progress_bar and not self.quiet:
            # Its own estimate knows of no validations.
            self.bar = tqdm(
                total=self.total,
                initial=self.first,
                unit="step",
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]",
            )

    def step(self, step, loss):
        """After each update."""
        if self.begun is None:
            # The first update is traced and compiled, which says nothing of the others.
            self.first, self.begun, self.paused = step, time.monotonic(), 0.0
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.set_postfix_str(f"loss {loss:.4f}{self._left(step)}", refresh=False)
            self.bar.update(step - self.bar.n)

    @contextlib.contextmanager
    def validating(self):
        """While a validation goes on; gives a function (done, total) of numbers of images."""
        begun = said = time.monotonic()

        def progress(done, total):
            nonlocal said
            if self.bar is not None:
                self.bar.set_postfix_str(f"validating: image {done} of {total}")
            elif time.monotonic() - said >= _EVERY:
                said = time.monotonic()
                self.line(f"validating: image {done} of {total}")

        yield progress
        self.validated = time.monotonic() - begun
        self.paused += self.validated

    def announce(self, session):
        """What is about to be trained, and from where on."""
        config, plan, step = session.config, session.plan, session.values["step"]
        weights = sum(math.prod(v.shape) for v in session.model.trainable_variables)
        replicas = session.strategy.num_replicas_in_sync
        val = f", {len(plan.val)} for validation" if plan.val else ""
        devices = f", {replicas} replicas" if replicas > 1 else ""
        minutes = f"for {config.minutes:g} min in steps"
        length = minutes if self.total is None else counted(self.total, "step")
        classes = counted(plan.spec.num_classes, "class")
        self.line(
            f"{plan.spec.name}: {weights / 1e6:.1f} million weights, {classes}; "
            f"{counted(len(plan.train), 'image')}{val}; {length} of "
            f"{counted(config.effective_batch, 'image')}{devices}"
        )
        if (self.total is not None and step >= self.total) or session.out_of_patience:
            self.line(f"{config.run_dir} is finished: it is at step {step}")
        elif step:
            self.line(f"continuing {config.run_dir} after step {step}")

    def row(self, row):
        """A line for a row of the log."""
        due = row["step"] % self.log_every == 0 or row["step"] == self.total
        if due and self.bar is None:
            waiting = f"{100 * row['data_wait']:.0f} % waiting for data"
            self.line(
                f"step {row['step']}{self._of()}  epoch {row['epoch']:.2f}  "
                f"loss {row['loss_average']:.4f}  {row['images_per_second']:.1f} images/s, "
                f"{waiting}{self._left(row['step'])}"
            )

    def validation(self, step, scores, best, pictures):
        """A line for a validation."""
        self.line(f"step {step}: {self.describe(scores, best)} at step {best['step']}")

    def line(self, text):
        """Anything else, above the bar."""
        if self.quiet:
            return
        if self.bar is not None:
            self.bar.clear()
        logging.info("%s", text)
        if self.bar is not None:
            self.bar.refresh()

    def end(self, result):
        """Leaves the bar as it stands."""
        if self.bar is not None:
            self.bar.close()

    def _of(self):
        return "" if self.total is None else f"/{self.total}"

    def _left(self, step):
        """The time left, or nothing where nothing is known of it."""
        if self.begun is None or self.total is None or not self.first < step < self.total:
            return ""
        training = time.monotonic() - self.begun - self.paused
        seconds = training / (step - self.first) * (self.total - step)
        validations = self._validations(step)
        if validations and self.validated is None:
            # How long one takes shows when the first is done.
            more = counted(validations, "validation")
            return f", {duration(seconds)} and {more} left"
        return f", {duration(seconds + validations * (self.validated or 0))} left"

    def _validations(self, step):
        """How many come after a step: the last update always has one."""
        if self.validate_every is None:
            return 0
        every = self.validate_every or self.total
        return -(-self.total // every) - step // every


def duration(seconds):
    """Seconds as "42 s", "7 min" or "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
