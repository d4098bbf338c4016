"""What each setting of a run may be, looked at by itself; `config` says what goes together."""

import dataclasses
import os

from tfseg import checks
from tfseg.data.prepare.class_weights import RULES
from tfseg.errors import TfsegError
from tfseg.training import values

LIMITS = {
    name: limits
    for names, limits in (
        ("batch_size accumulation_steps log_every max_long_side size_divisor", {"least": 1}),
        ("boundary_width keep_checkpoints", {"least": 1}),
        ("num_classes steps epochs minutes replicas steps_per_epoch", {"least": 0}),
        ("lr_warmup_steps lr_power patience encoder_learning_rate", {"least": 0}),
        ("weight_decay clip_norm focal_gamma boundary_weight", {"least": 0}),
        ("momentum ema_decay label_smoothing adam_beta1 adam_beta2", {"least": 0, "below": 1}),
        ("learning_rate lr_step_size adam_epsilon", {"above": 0}),
        ("lr_decay_rate", {"above": 0, "most": 1}),
        ("tversky_alpha tversky_beta temperature", {"above": 0}),
        ("lr_final lr_peak ohem_fraction class_crops", {"least": 0, "most": 1}),
        ("random_rotate", {"least": 0, "most": 180}),
        ("seed", {"least": 0, "most": 2**32 - 1}),
    )
    for name in names.split()
}


def typed(config):
    """{name: text} of what stands for text: paths, and numbers of updates beside "epoch".

    Raises:
        TfsegError: a setting isn't of its type; the message names it.
    """
    changes = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.type is str and (isinstance(value, os.PathLike) or checks.is_whole(value)):
            value = changes[field.name] = str(value)
        words, right = {
            bool: ("true or false", isinstance(value, bool)),
            int: ("a whole number", checks.is_whole(value)),
            float: ("a number", checks.is_real(value)),
            str: ("text", isinstance(value, str)),
            dict: ("a dict", isinstance(value, dict)),
        }.get(field.type, ("", True))
        if not right:
            raise TfsegError(f"`{field.name}` must be {words}, not {value!r}")
    return changes


def check_numbers(config):
    """Whether numbers are in their ranges.

    Raises:
        TfsegError: one isn't; the message names it and says what is allowed.
    """
    for name, limits in LIMITS.items():
        checks.require_number(name, getattr(config, name), **limits)


def normalised(config):
    """{name: value} of the settings of several numbers, as tuples.

    Raises:
        TfsegError: a setting isn't what it has to be; the message names it.
    """
    sides = values.numbers("short_sides", config.short_sides, int)
    if sides and min(sides) < 1:
        raise TfsegError(f"`short_sides` must be above 0, not {values.text(config.short_sides)}")
    size = values.numbers("crop_size", config.crop_size, int)
    if sides and size:
        raise TfsegError("`short_sides` and `crop_size` exclude each other")
    size = () if sides else values.height_width("crop_size", size or (321,))
    scale = values.numbers("random_scale", config.random_scale, float)
    if len(scale) != 2 or not 0 < scale[0] <= scale[1]:
        raise TfsegError(
            f"`random_scale` must be smallest,largest, not {values.text(config.random_scale)}"
        )
    choices = values.numbers("scale_choices", config.scale_choices, float)
    if choices and (min(choices) <= 0 or scale != (1, 1)):
        raise TfsegError(
            "`scale_choices` must be factors above 0, in place of `random_scale`, not "
            f"{values.text(config.scale_choices)}"
        )
    weights = _class_weights(config.class_weights)
    for name in ("lr_update_every", "validate_every", "checkpoint_every"):
        values.interval(name, getattr(config, name), 1)
    return {
        "imports": values.numbers("imports", config.imports, str.strip),
        "crop_size": size,
        "short_sides": sides,
        "random_scale": scale,
        "scale_choices": choices,
        "class_weights": weights,
    }


def _class_weights(given):
    """(rule,) or a number for each class."""
    names = values.numbers("class_weights", given, str)
    if len(names) == 1 and names[0] in RULES:
        return names
    try:
        weights = values.numbers("class_weights", given, float)
    except TfsegError as error:
        raise TfsegError(f"{error}, which is none of {', '.join(RULES)}") from error
    if weights and (min(weights) < 0 or max(weights) == 0):
        raise TfsegError("`class_weights` must be at least 0, and not all 0")
    return weights
