"""Strict assignment: every entry of the source used, every variable set, or nothing changed."""

import dataclasses
import re

import numpy as np

from tfseg.errors import TfsegError
from tfseg.weights.families import layouts

# The parts of a model that may stay fresh under `new_head`.
HEADS = ("decoder/", "classifier/")


@dataclasses.dataclass(frozen=True)
class Report:
    """What `load_weights` did.

    Attributes:
        layout: the layout that the source turned out to have.
        loaded: {our variable's path: original name}.
        skipped: {original name: reason}.
        fresh: paths of the variables that keep their initial values.
    """

    layout: str
    loaded: dict
    skipped: dict
    fresh: tuple

    def __str__(self):
        parts = [f"loaded {len(self.loaded)} variables ({self.layout} layout)"]
        if self.skipped:
            reasons = "; ".join(sorted(set(self.skipped.values())))
            parts.append(f"left out {len(self.skipped)} entries ({reasons})")
        if self.fresh:
            parts.append(f"kept {len(self.fresh)} fresh variables ({_some(self.fresh)})")
        return ", ".join(parts)


@dataclasses.dataclass(frozen=True)
class _Match:
    """A source against a model's variables, under one layout."""

    layout: object
    names: dict  # our path: original name, None where the layout has none
    missing: list  # our paths that the source has nothing for
    unused: list  # original names that no variable takes and no rule skips
    skipped: dict  # original name: reason
    wrong: dict  # our path: (shape in the source, shape wanted), converted to our axes
    values: dict  # our path: array

    @property
    def faults(self):
        return len(self.missing) + len(self.unused) + len(self.wrong)


def assign(model, source, new_head=False, origin="the source"):
    """Sets every variable of `model` from `source`.

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        source: mapping {original name: array}. A common prefix "module." is taken off.
        new_head: the head (decoder or classifier) may differ: a variable of it that doesn't fit
            keeps its fresh value. The encoder must fit all the same.
        origin: where the source came from, for error messages.

    Returns:
        A `Report`.

    Raises:
        TfsegError: names or shapes don't fit; no variable was changed.
    """
    source = _without_prefix(source)
    variables = {variable.path: variable for variable in model.variables if _is_weight(variable)}
    match = min(
        (_match(layout, variables, source) for layout in layouts(model)), key=lambda m: m.faults
    )
    fresh = []
    if new_head:
        match, fresh = _forgive_head(match)
    if match.faults:
        raise TfsegError(_explain(model, match, origin, new_head, source))
    for path, value in match.values.items():
        variables[path].assign(value)
    loaded = {path: match.names[path] for path in match.values}
    return Report(match.layout.name, loaded, match.skipped, tuple(fresh))


def _is_weight(variable):
    # Dropout layers hold the state of their random numbers as variables.
    return "seed_generator" not in variable.path


def _without_prefix(source):
    """Takes off "module.", which PyTorch's DataParallel puts before every name."""
    if source and all(name.startswith("module.") for name in source):
        return {name.removeprefix("module."): value for name, value in source.items()}
    return source


def _match(layout, variables, source):
    names = {path: layout.original(path) for path in variables}
    taken = {name: path for path, name in names.items() if name in source}
    skipped = {name: layout.skip_reason(name) for name in source if name not in taken}
    unused = [name for name, reason in skipped.items() if reason is None]
    values, wrong = {}, {}
    for name, path in taken.items():
        value = _convert(source[name], path, tuple(variables[path].shape), layout)
        if value.shape == tuple(variables[path].shape):
            values[path] = value
        else:
            wrong[path] = (value.shape, tuple(variables[path].shape))
    return _Match(
        layout,
        names,
        missing=[path for path, name in names.items() if name not in source],
        unused=unused,
        skipped={name: reason for name, reason in skipped.items() if reason is not None},
        wrong=wrong,
        values=values,
    )


def _convert(value, path, shape, layout):
    """A foreign array in our axes; linear layers become 1x1 convolutions."""
    value = np.asarray(value)
    if layout.kernels == "OIHW" and len(shape) == 4:
        if value.ndim == 2:
            value = value[:, :, None, None]
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
    convert = layout.arrays.get(path.rpartition("/")[2])
    return convert(value) if convert else value


def _forgive_head(match):
    """The match without the faults of its head, and the paths that stay fresh."""
    fresh = [path for path in (*match.missing, *match.wrong) if path.startswith(HEADS)]
    surplus = [name for name in match.unused if re.search(match.layout.head, name)]
    surplus += [match.names[path] for path in match.wrong if path in fresh]
    match = dataclasses.replace(
        match,
        missing=[path for path in match.missing if path not in fresh],
        unused=[name for name in match.unused if name not in surplus],
        wrong={path: shapes for path, shapes in match.wrong.items() if path not in fresh},
        skipped={**match.skipped, **dict.fromkeys(surplus, "belongs to the head left behind")},
    )
    return match, fresh


def _some(names, count=3):
    names = list(names)
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")


def _explain(model, match, origin, new_head, source):
    """One line: what doesn't fit, with the first names of each side, and the likely cause."""
    faults = []
    if match.missing:
        sought = [match.names[path] or path for path in match.missing]
        faults.append(f"{len(match.missing)} variables are not in it ({_some(sought)})")
    if match.unused:
        faults.append(f"{len(match.unused)} of its entries have no place ({_some(match.unused)})")
    if match.wrong:
        shapes = [
            f"{match.names[path]} is {list(found)}, wanted {list(wanted)}"
            for path, (found, wanted) in match.wrong.items()
        ]
        faults.append(f"{len(shapes)} shapes differ ({_some(shapes, 2)})")
    cause = _likely_cause(match, new_head, source)
    return f"weights from {origin} don't fit {_name(model)}: {'; '.join(faults)}; {cause}"


def _name(model):
    return model.name_and_options[0] if hasattr(model, "name_and_options") else model.name


def _likely_cause(match, new_head, source):
    if not source:
        return "the source is empty"
    if not match.values:
        return "no name is known here: most likely it was saved from another kind of model"
    at_fault = {*match.missing, *match.wrong}
    heads = {path for path in at_fault if path.startswith(HEADS)}
    if at_fault == heads and not new_head:
        counts = [shapes for path, shapes in match.wrong.items() if path.endswith("bias")]
        if len(counts) == 1:
            (found,), (wanted,) = counts[0]
            return (
                f"it has {found} classes, the model {wanted}: give the model {found}, "
                "or ask for a new head (new_head)"
            )
        return "only the head differs: ask for a new head (new_head) to keep a fresh one"
    if any("/stem" in path for path in at_fault):
        return "the stem differs: most likely it belongs to another variant of the encoder"
    return "most likely it belongs to another model"
