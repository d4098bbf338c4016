"""Signals that ask for an end, and what to say when training goes wrong."""

import signal
import threading

from tfseg.errors import TfsegError


class StopSignals:
    """Turns the first SIGTERM or SIGINT within its `with` block into a wish to stop.

    The second one acts at once, as if nobody listened. Outside of the main thread, where Python
    allows no handlers, nothing is caught.

    Attributes:
        received: the signal's number, or 0.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        self.received = 0
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._receive) for s in self.SIGNALS}
        return self

    def __exit__(self, *_):
        self._restore()

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
