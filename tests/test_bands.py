import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.bands import RGB, Bands
from tfseg.errors import TfsegError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channels": 0}, "channels must be"),
        ({"channels": 2.5}, "channels must be"),
        ({"channels": 10**9}, "channels must be"),
        ({"value_range": 255}, "value_range must be"),
        ({"value_range": [3, 3]}, "value_range must be"),
        ({"value_range": [0, float("nan")]}, "value_range must be"),
        ({"value_range": [0, 1e300]}, "value_range is not one of float32"),
        ({"rgb_bands": [0, 1]}, "rgb_bands must be three"),
        ({"rgb_bands": [0, 1, 3]}, r"rgb_bands must be three channels in 0\.\.2"),
        ({"channels": 4, "rgb_bands": "012"}, "rgb_bands must be"),
    ],
)
def test_impossible_bands(values, message):
    with pytest.raises(TfsegError, match=message):
        Bands(**values)


def test_plain_values_are_those_that_differ():
    assert RGB.to_dict() == {}
    bands = Bands(4, (0, 65535))
    assert bands.to_dict() == {"channels": 4, "value_range": [0, 65535], "rgb_bands": [0, 1, 2]}
    assert Bands(**bands.to_dict()) == bands
    assert Bands(2).rgb_bands == (0, 0, 0)


# What a file has (channels, bits, whether the last is transparency), and whether bands take it.
KINDS = [
    (RGB, (3, 8, False), True),
    (RGB, (1, 8, False), True),
    (RGB, (2, 8, True), True),
    (RGB, (4, 8, True), True),
    (RGB, (4, 8, False), False),
    (RGB, (3, 16, False), False),
    (RGB, (3, 32, False), False),
    (Bands(4), (4, 8, True), True),
    (Bands(4), (3, 8, False), False),
    (Bands(1), (2, 8, True), True),
    (Bands(1), (3, 8, False), False),
    (Bands(3, (0, 65535)), (3, 16, False), True),
    (Bands(3, (0, 65535)), (3, 8, False), False),
    (Bands(2, (0, 100)), (2, 8, False), True),
    (Bands(7, (-1, 1)), (7, 32, False), True),
]


@pytest.mark.parametrize(("bands", "pixels", "right"), KINDS)
def test_which_files_are_taken(bands, pixels, right):
    assert (bands.fault(*pixels) is None) == right


def test_sixteen_bits_say_what_to_put():
    assert "value_range" in RGB.fault(1, 16) and "[0, 65535]" in RGB.fault(1, 16)


@given(st.floats(-1e4, 1e4), st.floats(0.01, 1e5))
def test_levels_lay_the_range_on_a_photographs(low, span):
    bands = Bands(1, (low, low + span))
    levels = bands.to_levels(np.array([low, low + span / 2, low + span], np.float32))
    np.testing.assert_allclose(levels, [0, 127.5, 255], atol=1 + 1e-4 * (abs(low) / span) * 255)


def test_all_of_sixteen_bits_are_different_levels():
    levels = Bands(1, (0, 65535)).to_levels(np.arange(65536, dtype=np.float32))
    assert len(np.unique(levels)) == 65536 and levels[-1] == pytest.approx(255)


def test_pictures():
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    assert RGB.picture(image[..., :3]) is not None
    np.testing.assert_array_equal(RGB.picture(image[..., :3]), image[..., :3])
    np.testing.assert_array_equal(
        Bands(4, rgb_bands=(3, 0, 0)).picture(image), image[..., [3, 0, 0]]
    )
    ramp = np.linspace(30000, 30200, 100, dtype=np.float32).reshape(10, 10, 1)
    picture = Bands(1, (0, 65535)).picture(ramp)
    assert picture.shape == (10, 10, 3) and picture.dtype == np.uint8
    assert picture.min() == 0 and picture.max() == 255 and len(np.unique(picture)) > 90
    # A flat image is one colour, and no warning.
    assert len(np.unique(Bands(1, (0, 65535)).picture(np.full((4, 4, 1), 7, np.float32)))) == 1
