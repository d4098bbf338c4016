"""What a person sees of a run: a progress bar on a terminal, plain lines otherwise."""

import contextlib
import time

from absl import logging
from tqdm import tqdm

# Seconds between two lines about one validation, where there is no bar.
_EVERY = 30


class Console:
    """Reports progress.

    Args:
        total: updates in the whole run; None while nothing is known of it.
        done: updates before this process started.
        progress_bar: a bar on stderr instead of a line for every row of the log.
        quiet: no output at all, for workers other than the chief.
        validate_every: updates between two validations, 0 for one at the end; None for none.
    """

    def __init__(self, total, done=0, progress_bar=False, quiet=False, validate_every=None):
        self.total, self.validate_every = total, validate_every
        # How long the last validation took, and all of them since `start`.
        self.validated, self.paused = None, 0.0
        self.first, self.start = done, None
        self.quiet = quiet
        self.bar = None
        if progress_bar and not quiet:
            # Its own estimate knows of no validations.
            self.bar = tqdm(
                total=total,
                initial=done,
                unit="step",
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]",
            )

    def step(self, step, loss):
        """After each update."""
        if self.start is None:
            # The first update is traced and compiled, which says nothing of the others.
            self.first, self.start, self.paused = step, time.monotonic(), 0.0
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.set_postfix_str(f"loss {loss:.4f}{self._left(step)}", refresh=False)
            self.bar.update(step - self.bar.n)

    @contextlib.contextmanager
    def validation(self):
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

    def row(self, row):
        """For each row of the log."""
        if self.bar is None:
            waiting = f"{100 * row['data_wait']:.0f} % waiting for data"
            self.line(
                f"step {row['step']}{self._of()}  epoch {row['epoch']:.2f}  "
                f"loss {row['loss_average']:.4f}  {row['images_per_second']:.1f} images/s, "
                f"{waiting}{self._left(row['step'])}"
            )

    def line(self, text):
        """Anything else, above the bar."""
        if self.quiet:
            return
        if self.bar is not None:
            self.bar.clear()
        logging.info("%s", text)
        if self.bar is not None:
            self.bar.refresh()

    def close(self):
        """Leaves the bar as it stands."""
        if self.bar is not None:
            self.bar.close()

    def _of(self):
        return "" if self.total is None else f"/{self.total}"

    def _left(self, step):
        """The time left, or nothing where nothing is known of it."""
        if self.start is None or self.total is None or not self.first < step < self.total:
            return ""
        training = time.monotonic() - self.start - self.paused
        seconds = training / (step - self.first) * (self.total - step)
        validations = self._validations(step)
        if validations and self.validated is None:
            # How long one takes shows when the first is done.
            more = "1 validation" if validations == 1 else f"{validations} validations"
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
