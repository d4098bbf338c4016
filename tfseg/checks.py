"""Numbers that users give: whether they are such, and the error that says what is allowed.

Python counts True and False as numbers, and NumPy has numbers of its own: both are minded here.
"""

import math
import numbers
from typing import Any

from tfseg.errors import TfsegError


def is_real(value: Any) -> bool:
    """Whether it is a real number, finite or not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether it is a finite real number in `least`..`most`."""
    # Whole numbers have no limit, as floats have.
    return is_real(value) and abs(value) < math.inf and least <= value <= most


def is_whole(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether it is a number in `least`..`most` of a type that has none but whole ones."""
    return isinstance(value, numbers.Integral) and is_number(value, least, most)


def are_numbers(values: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether it is a list or tuple of what `is_number` takes."""
    return isinstance(values, list | tuple) and all(is_number(one, least, most) for one in values)


def are_whole(values: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether it is a list or tuple of what `is_whole` takes."""
    return isinstance(values, list | tuple) and all(is_whole(one, least, most) for one in values)


def require_number(
    name: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    whole: bool = False,
) -> None:
    """Refuses what isn't a finite number within limits.

    Args:
        name: of the argument.
        value: what was given for it.
        least, most: limits that it may be.
        above, below: limits that it may not be.
        whole: whether it has to be a whole number.

    Raises:
        TfsegError: it isn't such a number.
    """
    if not (is_whole if whole else is_real)(value):
        kind = "a whole number" if whole else "a number"
        raise TfsegError(f"`{name}` must be {kind}, not {value!r}")
    right = (
        abs(value) < math.inf
        and (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if right:
        return
    if least is not None and most is not None:
        span = f"in {least}..{most}"
    else:
        limits = {"at least": least, "above": above, "at most": most, "below": below}
        words = [f"{word} {limit}" for word, limit in limits.items() if limit is not None]
        span = " and ".join(words) or "finite"
    raise TfsegError(f"`{name}` must be {span}, not {value}")


def require_switch(name: str, value: Any) -> None:
    """Refuses what is neither True nor False.

    Raises:
        TfsegError: it isn't.
    """
    if not isinstance(value, bool):
        raise TfsegError(f"`{name}` must be true or false, not {value!r}")
