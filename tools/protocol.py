"""The flags that say which views of an image a network sees, and how they are joined."""

import dataclasses

import common
from absl import flags
from PIL import Image

from tfseg.errors import TfsegError, unknown
from tfseg.inference import PROTOCOLS
from tfseg.inference.crf import CRF, require_crf
from tfseg.inference.protocol import AVERAGES

FLAGS = flags.FLAGS


def define():
    """Defines --protocol, and the flags that override parts of it."""
    flags.DEFINE_enum(
        "protocol", "single_scale", PROTOCOLS, "A published evaluation; flags below override it."
    )
    flags.DEFINE_list("eval_scales", None, "Look at the image at these scales.")
    flags.DEFINE_list(
        "eval_short_sides", None, "Instead: at these lengths of the short side, in pixels."
    )
    flags.DEFINE_integer("max_long_side", None, "With --eval_short_sides: longest side (1000).", 1)
    flags.DEFINE_integer(
        "padding_constant", None, "Heights and widths are rounded up to multiples of this (1).", 1
    )
    flags.DEFINE_bool("flip", None, "Look at the image mirrored, too.")
    flags.DEFINE_enum("average", None, AVERAGES, "How the scores of several views are joined.")
    flags.DEFINE_integer(
        "tile_size",
        0,
        "Look at pieces of this height and width, for images that don't fit into memory; 0: whole.",
        0,
    )


def read():
    """The `Protocol` that the flags state; with tiles, images of any size may be read.

    Raises:
        TfsegError: what isn't a positive number, or both scales and short sides.
    """
    values = {
        "scales": _numbers("eval_scales", float),
        "short_sides": _numbers("eval_short_sides", int),
        "max_long_side": FLAGS.max_long_side,
        "padding_constant": FLAGS.padding_constant,
        "flip": FLAGS.flip,
        "average": FLAGS.average,
        "tile_size": FLAGS.tile_size,
    }
    if FLAGS.tile_size:
        # Pillow takes more than 179 million pixels for an attack. Tiles are for just that.
        Image.MAX_IMAGE_PIXELS = None
    given = {name: value for name, value in values.items() if value is not None}
    # Either kind of sizes takes the place of the named protocol's.
    if "scales" in given:
        given.setdefault("short_sides", ())
    elif "short_sides" in given:
        given["scales"] = (1.0,)
    return dataclasses.replace(PROTOCOLS[FLAGS.protocol], **given)


def define_crf():
    """Defines --crf_option, and what `read_crf` takes from it."""
    flags.DEFINE_multi_string(
        "crf_option",
        [],
        "A parameter of the dense CRF as key=value, such as bilateral_xy=67; may be repeated.",
    )


def read_crf():
    """The `CRF` that --crf_option states, by default DeepLab's.

    Raises:
        TfsegError: no such parameter, a bad value, or pydensecrf isn't installed.
    """
    require_crf()
    options, names = {}, [field.name for field in dataclasses.fields(CRF)]
    for pair in FLAGS.crf_option:
        name, _, value = pair.partition("=")
        if name not in names:
            raise unknown("crf_option", name, names)
        options[name] = common.parse_value(value)
        if type(options[name]) not in (int, float):
            raise TfsegError(f"--crf_option={pair} must be a name, = and a number")
    return CRF(**options)


def _numbers(name, kind):
    if FLAGS[name].value is None:
        return None
    try:
        return tuple(kind(text) for text in FLAGS[name].value)
    except ValueError as error:
        raise TfsegError(f"--{name} must be numbers: {error}") from error
