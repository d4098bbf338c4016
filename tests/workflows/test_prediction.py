"""What can't be predicted is said before anything is loaded."""

import pytest

import tfseg
from tfseg.errors import TfsegError
from tfseg.parts import Part


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "overlays"}, "unknown kind of `outputs` 'overlays'; did you mean overlay?"),
        ({"outputs": ["labels", "colour"]}, "did you mean color?"),
        ({"shares": "s.json", "part": Part(1, 2)}, "`shares` is one file for a whole list"),
    ],
)
def test_what_would_be_wrong_or_lost(options, message):
    with pytest.raises(TfsegError) as caught:
        tfseg.predict("none", ["photo.jpg"], **options)
    assert message in str(caught.value)
