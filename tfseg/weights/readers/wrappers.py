"""Which of a checkpoint's dictionaries holds the weights."""

import re

from tfseg.words import counted

# What training scripts call the weights themselves: one of these is taken before others.
_PLAIN = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
# What they call running averages of the weights, which are taken where there is nothing else.
_AVERAGE = re.compile(r"(^|_)(ema|swa|averaged?|avg|shadow|polyak)(_|$)")
# What holds tensors, but no model's.
_OTHER = re.compile(r"optim|sched|scaler|callbacks|loops|hub|rng|random|hist|metric|criterion|loss")
_MOST_LEVELS = 4  # a file can make a dictionary contain itself


def unwrap(value, is_tensor):
    """The state dict inside a checkpoint's value: any one dictionary of tensors, at any key.

    Args:
        value: the unpickled value: a state dict, or a dict that holds one, however deep.
        is_tensor: function that tells tensors from other values.

    Returns:
        (state dict, {name: reason} of what was left aside, None or in words what was taken where
        that isn't plain)

    Raises:
        ValueError: it isn't a dictionary, or it holds several models or none.
    """
    if not isinstance(value, dict):
        raise ValueError("it doesn't hold a dictionary of tensors")
    found = dict(_candidates(value, is_tensor, (), set()))
    if not found:
        raise ValueError("it holds no tensors")
    keys = _choose(found)
    ignored = _left(value, keys)
    for other in found:
        if other != keys and _is_average(other):
            ignored[".".join(other)] = f"{_said(other)} holds averages of the weights"
    part = f"{_said(keys)}, averages of the weights" if _is_average(keys) else None
    return found[keys], ignored, part


def _candidates(value, is_tensor, keys, seen):
    """(keys that lead there, dictionary) of those that hold tensors under names of their own."""
    if id(value) in seen or len(keys) > _MOST_LEVELS:
        return
    seen.add(id(value))
    if any(isinstance(name, str) and is_tensor(item) for name, item in value.items()):
        yield keys, value
    for name, item in value.items():
        if isinstance(name, str) and isinstance(item, dict) and not _OTHER.search(name.lower()):
            yield from _candidates(item, is_tensor, (*keys, name), seen)


def _choose(found):
    if len(found) == 1:
        return next(iter(found))
    plain = [keys for keys in found if not _is_average(keys)] or list(found)
    named = [keys for keys in plain if keys and keys[-1].lower() in _PLAIN]
    for choice in (plain, named):
        if len(choice) == 1:
            return choice[0]
    # Beside a state dict, a loose tensor or two are the state of something else.
    most = max(plain, key=lambda keys: len(found[keys]))
    others = [len(found[keys]) for keys in plain if keys != most]
    if len(found[most]) > 10 * max(others):
        return most
    listed = ", ".join(
        f"{_said(keys)} ({counted(len(found[keys]), 'entry')})" for keys in plain[:5]
    )
    raise ValueError(f"it holds several models, {listed}: save the one that is meant by itself")


def _is_average(keys):
    return any(_AVERAGE.search(key.lower()) for key in keys)


def _said(keys):
    return repr(".".join(keys)[:80]) if keys else "its top level"


def _left(value, keys):
    """{name: reason} of what stands beside the way to the state dict."""
    ignored = {}
    for key in keys:
        reason = f"not in {key[:80]!r}"
        ignored |= {name: reason for name in value if isinstance(name, str) and name != key}
        value = value[key]
    return ignored
