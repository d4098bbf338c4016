"""Signals that ask for an end, and what to say when training goes wrong."""

import signal
import threading

from tfseg.errors import TfsegError


class StopSignals:
    """Turns the first SIGTERM or SIGINT within its `with` block into a wish to stop.

    The second one acts at once, as if nobody listened. Outside of the main thread, where Python
    allows no handlers, nothing is caught.

    Args:
        several_workers: whether other processes have to agree on when to stop.

    Attributes:
        received: the signal's number, or 0.
        stop: whether the run is to stop: decided.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, several_workers=False):
        self.received, self.stop = 0, False
        self._several_workers = several_workers
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._receive) for s in self.SIGNALS}
        return self

    def __exit__(self, *_):
        self._restore()

    def heed(self):
        """Takes over a signal's wish; returns whether the run is to stop."""
        # Several workers have to stop after the same update: they agree in its metrics.
        self.stop |= bool(self.received) and not self._several_workers
        return self.stop

    @property
    def number(self):
        """The signal that stops the run, or 0; another worker may have got it."""
        return (self.received or int(signal.SIGTERM)) if self.stop else 0

    def _receive(self, number, _frame):
        self.received = number
        self._restore()

    def _restore(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


def non_finite(step, loss, norm, learning_rate, files, checkpoint_step):
    """The `TfsegError` for an update that would have made the weights useless.

    Args:
        step: the update's number, counted from 1.
        loss, norm: loss and gradient norm, at least one of them not finite.
        learning_rate: the update's.
        files: the names of its images.
        checkpoint_step: step of the last checkpoint, or None.
    """
    shown = ", ".join(files[:16]) + (f" and {len(files) - 16} more" if len(files) > 16 else "")
    kept = f"step {checkpoint_step} is saved" if checkpoint_step else "no checkpoint yet"
    return TfsegError(
        f"loss {loss:g}, gradient norm {norm:g} at step {step} with learning rate "
        f"{learning_rate:g}: the update was not applied ({kept}). Likely causes: a learning rate "
        "too high (lower `learning_rate` or set `clip_norm`), float16 overflow (use bfloat16), or "
        f"a damaged image among {shown}"
    )
