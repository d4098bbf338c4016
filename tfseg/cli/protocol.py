"""The flags that say which views of an image a network sees, and how they are joined."""

import dataclasses
from collections.abc import Callable
from typing import Any

from tfseg.cli import shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given
from tfseg.errors import TfsegError, unknown
from tfseg.inference.protocol import AVERAGES, PROTOCOLS, Protocol

# What most people need of these flags.
GROUP = "protocol eval_scales flip tile_size"
# All that `define` defines.
FLAGS = (
    *("protocol", "eval_scales", "eval_short_sides", "max_long_side", "size_divisor"),
    *("flip", "average", "tile_size"),
)


# What the flags of `define_crf` need.
CRF_NEEDS = {"crf_option": Need("--crf", given("crf"))}


def define(flags: Flags) -> None:
    """Defines --protocol, and the flags that override parts of it."""
    flags.choice(
        *("protocol", "single_scale", PROTOCOLS),
        "A published evaluation; flags below override it. Without any of these flags, a folder of "
        "save_pretrained has its own.",
    )
    flags.several("eval_scales", None, "Look at the image at these scales.")
    flags.several(
        "eval_short_sides", None, "Instead: at these lengths of the short side, in pixels."
    )
    flags.integer("max_long_side", None, "With --eval_short_sides: longest side (1000).", 1)
    flags.integer(
        "size_divisor", None, "Heights and widths are rounded up to multiples of this (1).", 1
    )
    flags.alias("padding_constant", "size_divisor")
    flags.boolean("flip", None, "Look at the image mirrored, too.")
    flags.choice("average", None, AVERAGES, "How the scores of several views are joined.")
    flags.integer(
        "tile_size",
        0,
        "Look at pieces of this height and width, for images that don't fit into memory; 0: whole.",
        0,
    )


def read(flags: Flags) -> Protocol | None:
    """The `Protocol` that the flags state; None, for the model's own, where none of them is given.

    With tiles, images of any size may be read.

    Raises:
        TfsegError: what isn't a positive number, or both scales and short sides.
    """
    return _stated(flags) if any(flags[name].present for name in FLAGS) else None


def _stated(flags: Flags) -> Protocol:
    values = {
        "scales": _numbers(flags, "eval_scales", float),
        "short_sides": _numbers(flags, "eval_short_sides", int),
        "max_long_side": flags.max_long_side,
        "size_divisor": flags.size_divisor,
        "flip": flags.flip,
        "average": flags.average,
        "tile_size": flags.tile_size,
    }
    if flags.tile_size:
        from PIL import Image

        # Pillow takes more than 179 million pixels for an attack. Tiles are for just that.
        Image.MAX_IMAGE_PIXELS = None
    given = {name: value for name, value in values.items() if value is not None}
    # Either kind of sizes takes the place of the named protocol's.
    if "scales" in given:
        given.setdefault("short_sides", ())
    elif "short_sides" in given:
        given["scales"] = (1.0,)
    return dataclasses.replace(PROTOCOLS[flags.protocol], **given)


# What the flags of `define` need.
NEEDS = {
    "max_long_side": Need("--eval_short_sides=300", lambda flags: bool(_stated(flags).short_sides)),
    "average": Need("--flip", lambda flags: _views(_stated(flags)) > 1),
}


def _views(protocol: Protocol) -> int:
    return len(protocol.short_sides or protocol.scales) * (1 + protocol.flip)


def define_crf(flags: Flags, switch: bool = True) -> None:
    """Defines --crf_option, which `read_crf` takes, and --crf, which asks for it."""
    if switch:
        flags.boolean("crf", False, "Refine the label maps by a dense CRF.")
    flags.multi(
        "crf_option",
        [],
        "A parameter of the dense CRF as key=value, such as bilateral_xy=67; may be repeated.",
    )


def read_crf(flags: Flags) -> Any:
    """The `CRF` that the flags state, by default DeepLab's; None where --crf doesn't ask for it.

    Raises:
        TfsegError: no such parameter, a bad value, or pydensecrf isn't installed.
    """
    from tfseg.inference.crf import CRF, require_crf

    if "crf" in flags and not flags.crf:
        return None
    require_crf()
    options, names = {}, [field.name for field in dataclasses.fields(CRF)]
    for pair in flags.crf_option:
        name, _, value = pair.partition("=")
        if name not in names:
            raise unknown("--crf_option", name, names)
        options[name] = shared.parse_value(value)
        if type(options[name]) not in (int, float):
            raise TfsegError(f"--crf_option={pair} must be a name, = and a number")
    return CRF(**options)


def _numbers(flags: Flags, name: str, kind: Callable[[str], Any]) -> tuple[Any, ...] | None:
    texts = flags[name].value
    if texts is None:
        return None
    try:
        return tuple(kind(text) for text in texts)
    except ValueError as error:
        raise TfsegError(f"--{name} must be numbers: {error}") from error
