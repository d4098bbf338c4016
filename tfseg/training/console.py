"""What a person sees of a run: a progress bar on a terminal, plain lines otherwise."""

import time

from absl import logging
from tqdm import tqdm


class Console:
    """Reports progress.

    Args:
        total: updates in the whole run; None while nothing is known of it.
        done: updates before this process started.
        progress_bar: a bar on stderr instead of a line for every row of the log.
        quiet: no output at all, for workers other than the chief.
    """

    def __init__(self, total, done=0, progress_bar=False, quiet=False):
        self.total = total
        self.first, self.start = done, None
        self.quiet = quiet
        self.bar = None
        if progress_bar and not quiet:
            self.bar = tqdm(total=total, initial=done, unit="step", dynamic_ncols=True)

    def step(self, step, loss):
        """After each update."""
        if self.start is None:
            # The first update is traced and compiled, which says nothing of the others.
            self.first, self.start = step, time.monotonic()
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self.bar.update(step - self.bar.n)

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
        seconds = (time.monotonic() - self.start) / (step - self.first) * (self.total - step)
        return f", {duration(seconds)} left"


def duration(seconds):
    """Seconds as "42 s", "7 min" or "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
