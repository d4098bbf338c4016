"""The flags that say at which sizes a network looks at images."""

from absl import flags

from tfseg.errors import TfsegError
from tfseg.evaluation import Protocol

FLAGS = flags.FLAGS


def define():
    """Defines --eval_scales, --eval_short_sides, --max_long_side and --padding_constant."""
    flags.DEFINE_list(
        "eval_scales", ["1"], "Average the probabilities of the image at these scales."
    )
    flags.DEFINE_list(
        "eval_short_sides", [], "Instead of scales: at these lengths of the short side, in pixels."
    )
    flags.DEFINE_integer("max_long_side", 1000, "With --eval_short_sides: longest side.", 1)
    flags.DEFINE_integer(
        "padding_constant", 1, "Heights and widths are rounded up to multiples of this.", 1
    )


def read():
    """The `Protocol` that the flags state.

    Raises:
        TfsegError: what isn't a positive number, or both scales and short sides.
    """
    return Protocol(
        _numbers("eval_scales", float),
        _numbers("eval_short_sides", int),
        FLAGS.max_long_side,
        FLAGS.padding_constant,
    )


def _numbers(name, kind):
    try:
        return tuple(kind(text) for text in FLAGS[name].value)
    except ValueError as error:
        raise TfsegError(f"--{name} must be numbers: {error}") from error
