"""What settings are written as, and what they stand for."""

import math

from tfseg.checks import is_real, is_whole
from tfseg.errors import TfsegError

# What is said of numbers that are wrong, and which are right beside texts of them.
_KINDS = {int: ("whole numbers", is_whole), float: ("numbers", is_real)}


def interval(name, value, steps_per_epoch):
    """Updates between two events: `value` is "epoch", "step" (with lr_update_every) or a number.

    Returns:
        An int; 0 for "at the end only".
    """
    if value == "epoch":
        return steps_per_epoch
    if value == "step" and name == "lr_update_every":
        return 1
    lowest = 1 if name == "lr_update_every" else 0
    if not str(value).isdecimal() or int(value) < lowest:
        words = "step, epoch" if name == "lr_update_every" else "epoch"
        raise TfsegError(f"`{name}` must be {words} or a number of updates, not '{value}'")
    return int(value)


def numbers(name, value, kind):
    """A tuple of numbers from a number, a sequence, an array, or comma-separated text.

    Args:
        name: of the argument.
        value: what was given for it.
        kind: int, float, or a function of a text.

    Raises:
        TfsegError: it isn't one; the message names the argument.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    parts = value if isinstance(value, list | tuple) else [value]
    if isinstance(value, str):
        parts = [part for part in value.split(",") if part.strip()]
    words, is_right = _KINDS.get(kind, ("names", lambda part: True))
    wrong = TfsegError(f"`{name}` must be {words}, not '{text(value)}'")
    if not all(isinstance(part, str) or is_right(part) for part in parts):
        raise wrong
    try:
        found = tuple(kind(part) for part in parts)
    except (TypeError, ValueError, OverflowError) as error:
        raise wrong from error
    if kind is float and not all(map(math.isfinite, found)):
        raise TfsegError(f"`{name}` must be finite numbers, not '{text(value)}'")
    return found


def height_width(name, value):
    """(height, width) of what `numbers` takes; one number is both.

    Raises:
        TfsegError: it is neither one nor two whole numbers above 0.
    """
    size = numbers(name, value, int)
    size = size * 2 if len(size) == 1 else size
    if len(size) != 2 or min(size) < 1:
        raise TfsegError(f"`{name}` must be height,width or one number, not {text(value)}")
    return size


def text(value):
    """A value as it is written on the command line."""
    if isinstance(value, list | tuple):
        parts = ",".join(text(part) for part in value)
        return parts + "," if len(value) == 1 else parts
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)
