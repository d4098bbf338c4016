"""Number checks: bools, NumPy's numbers, what is infinite or no number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.checks import are_numbers, are_whole, is_number, is_whole, require_number, require_switch
from tfseg.errors import TfsegError

ANYTHING = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.integers(-5, 5).map(np.int64),
    st.floats(width=32).map(np.float32),
    st.fractions(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
)


@given(ANYTHING, st.integers(-3, 3), st.integers(0, 4))
def test_a_number_is_finite_real_within_limits_and_no_bool(value, least, width):
    real = not isinstance(value, bool | np.bool_ | str | list | complex) and value is not None
    inside = real and not math.isnan(value) and least <= value <= least + width
    assert is_number(value, least, least + width) == inside
    assert is_whole(value, least, least + width) == (inside and isinstance(value, int | np.integer))
    try:
        require_number("size", value, least, least + width)
    except TfsegError as error:
        assert not inside and "`size` must be " in str(error) and "\n" not in str(error)
    else:
        assert inside


@pytest.mark.parametrize(
    ("value", "limits", "words"),
    [
        (True, {}, "a number, not True"),
        ("3", {"whole": True}, "a whole number, not '3'"),
        (2.0, {"whole": True}, "a whole number, not 2.0"),
        (math.nan, {}, "finite, not nan"),
        (math.inf, {"least": 0}, "at least 0, not inf"),
        (0, {"above": 0}, "above 0, not 0"),
        (9, {"least": 1, "most": 8}, "in 1..8, not 9"),
        (1, {"least": 0, "below": 1}, "at least 0 and below 1, not 1"),
        (7, {"most": 6}, "at most 6, not 7"),
    ],
)
def test_the_error_says_what_is_allowed(value, limits, words):
    with pytest.raises(TfsegError) as error:
        require_number("size", value, **limits)
    assert str(error.value) == f"`size` must be {words}"


def test_numbers_within_their_limits_pass():
    require_number("size", 10**400)
    require_number("size", np.float32(0.5), 0, below=1)
    require_number("size", np.int64(3), above=2, most=3, whole=True)
    require_switch("flip", False)
    with pytest.raises(TfsegError, match="`flip` must be true or false, not 0"):
        require_switch("flip", 0)


def test_lists():
    assert are_numbers([1, 2.5]) and are_numbers((), 1) and not are_numbers([1, math.nan])
    assert are_whole((1, 2), 1) and not are_whole([1, True]) and not are_whole({1}, 1)
