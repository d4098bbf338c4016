"""Strict assignment: every entry of the source used, every variable set, or nothing changed."""

import dataclasses
import hashlib
import re

import keras
import numpy as np

from tfseg.errors import TfsegError
from tfseg.models.preprocessing import Preprocessing
from tfseg.models.variables import variable_names
from tfseg.weights.causes import explain
from tfseg.weights.layouts.families import layouts
from tfseg.weights.layouts.layout import is_filter, is_first, is_head
from tfseg.weights.sources import shape_of, variants
from tfseg.words import counted


@dataclasses.dataclass(frozen=True)
class Report:
    """What `load_weights` did.

    Attributes:
        layout: the layout that the source turned out to have.
        loaded: {our variable's path: original name}.
        skipped: {original name: reason}.
        fresh: paths of the variables that keep their initial values.
        preprocessing: `Preprocessing` that the weights were trained with, or None where they take
            what their data set's info.json says.
        part: what of a file of several things was taken, such as an average, in words; or None.
        spread: over how many channels the first kernel's three were spread, or None.
    """

    layout: str
    loaded: dict
    skipped: dict = dataclasses.field(default_factory=dict)
    fresh: tuple = ()
    preprocessing: Preprocessing | None = None
    part: str | None = None
    spread: int | None = None

    def __repr__(self):
        return f"<Report: {self}>"

    def __str__(self):
        of = f" of {self.part}" if self.part else ""
        parts = [f"loaded {counted(len(self.loaded), 'variable')}{of} ({self.layout} layout)"]
        if self.spread:
            parts.append(
                f"spread the first kernel's 3 channels over {counted(self.spread, 'channel')}"
            )
        if self.skipped:
            reasons = "; ".join(sorted(set(self.skipped.values())))
            parts.append(f"left out {counted(len(self.skipped), 'entry')} ({reasons})")
        if self.fresh:
            first = ", ".join(self.fresh[:3]) + (", …" if len(self.fresh) > 3 else "")
            parts.append(f"kept {counted(len(self.fresh), 'fresh variable')} ({first})")
        return ", ".join(parts)


@dataclasses.dataclass(frozen=True)
class Match:
    """A source against a model's variables, under one layout.

    Attributes:
        source: mapping {original name: array}.
        layout: the `Layout`.
        names: {our path: original name, None where the layout has none}.
        fitting: our paths whose entry has the right shape.
        missing: our paths that the source has nothing for.
        unused: original names that no variable takes and no rule skips.
        skipped: {original name: reason}.
        wrong: {our path: (shape in the source, shape wanted)}, both in our axes.
        fresh: our paths that keep their values, which the source need not have.
        spread: the path of a first kernel of three channels, where the model has others, or None.
    """

    source: object
    layout: object
    names: dict
    fitting: list
    missing: list
    unused: list
    skipped: dict
    wrong: dict
    fresh: tuple = ()
    spread: str | None = None

    @property
    def faults(self):
        return len(self.missing) + len(self.unused) + len(self.wrong)


def weights_of(model):
    """{path: variable} of a model's weights.

    Dropout layers hold the state of their random numbers as variables: those are left out.
    """
    return {n: v for n, v in variable_names(model).items() if "seed_generator" not in n}


def weights_digest(model):
    """A SHA-256 that is the same for the same weights, whatever file they came from.

    It is taken over the shape and the little-endian float32 values of each weight, in the order
    of the model's variables.
    """
    digest = hashlib.sha256()
    for variable in weights_of(model).values():
        value = np.asarray(variable.numpy(), "<f4")
        digest.update(str(value.shape).encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def assign(model, source, new_head=False, origin="the source"):
    """Sets every variable of `model` from `source`.

    Names and shapes are compared before any array is read, and all arrays are read before any
    variable changes.

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        source: mapping {original name: array}, such as a `WeightFile`. A prefix that all names
            have is taken off where that makes them fit.
        new_head: the head (decoder or classifier) may differ: a variable of it that doesn't fit
            keeps its fresh value, and so do smoothing filters that the source hasn't got. The
            rest of the encoder must fit all the same.
        origin: where the source came from, for error messages.

    Returns:
        A `Report`.

    Raises:
        TfsegError: names or shapes don't fit, or an array can't be read or holds NaN; no variable
            was changed.
    """
    variables = weights_of(model)
    match = _best_match(layouts(model), variables, source, new_head)
    if match.faults:
        raise TfsegError(explain(model, match, origin, new_head))
    _set(variables, match, origin, _colours(model))
    return Report(
        match.layout.name,
        {path: match.names[path] for path in match.fitting},
        {**match.skipped, **getattr(source, "ignored", {})},
        match.fresh,
        match.layout.preprocessing,
        getattr(source, "part", None),
        int(variables[match.spread].shape[2]) if match.spread else None,
    )


def _colours(model):
    """The channels that are red, green and blue, where the model says it."""
    preprocessing = getattr(getattr(model, "spec", None), "preprocessing", None)
    return preprocessing.bands.rgb_bands if preprocessing else (0, 1, 2)


def _best_match(candidates, variables, source, new_head):
    """The first match without faults, or else the one with the fewest."""
    best = None
    for variant in variants(source):
        for layout in candidates:
            match = _match(layout, variables, variant)
            match = _forgive_new(match) if new_head else match
            if not match.faults:
                return match
            if best is None or match.faults < best.faults:
                best = match
    return best


def _match(layout, variables, source):
    names = {path: layout.original(path) for path in variables}
    taken = {name: path for path, name in names.items() if name in source}
    skipped = {name: layout.skip_reason(name) for name in source if name not in taken}
    fitting, wrong, spread = [], {}, None
    for name, path in taken.items():
        wanted = tuple(variables[path].shape)
        # An array of this shape that takes no memory goes through the same conversion.
        found = np.broadcast_to(np.float32(0), shape_of(source, name))
        found = _convert(found, path, wanted, layout).shape
        if found == wanted:
            fitting.append(path)
        elif is_first(path) and len(found) == 4 and found == (*wanted[:2], 3, wanted[3]):
            fitting.append(path)
            spread = path
        else:
            wrong[path] = (found, wanted)
    return Match(
        source,
        layout,
        names,
        fitting,
        missing=[path for path, name in names.items() if name not in source],
        unused=[name for name, reason in skipped.items() if reason is None],
        skipped={name: reason for name, reason in skipped.items() if reason is not None},
        wrong=wrong,
        spread=spread,
    )


def _convert(value, path, shape, layout, transpose=np.transpose):
    """A foreign array in our axes; linear layers become 1x1 convolutions."""
    if layout.kernels == "OIHW" and len(shape) == 4:
        if value.ndim == 2:
            value = value[:, :, None, None]
        if value.ndim == 4:
            value = transpose(value, (2, 3, 1, 0))
    convert = layout.arrays.get(path.rpartition("/")[2])
    return convert(value) if convert else value


def _forgive_new(match):
    """The match without the faults of head and filters, whose variables stay fresh."""
    fresh = [path for path in match.missing if is_head(path) or is_filter(path)]
    fresh += [path for path in match.wrong if is_head(path)]
    surplus = [name for name in match.unused if re.search(match.layout.head, name)]
    surplus += [match.names[path] for path in match.wrong if path in fresh]
    return dataclasses.replace(
        match,
        missing=[path for path in match.missing if path not in fresh],
        unused=[name for name in match.unused if name not in surplus],
        wrong={path: shapes for path, shapes in match.wrong.items() if path not in fresh},
        skipped={**match.skipped, **dict.fromkeys(surplus, "belongs to the head left behind")},
        fresh=tuple(fresh),
    )


def spread_kernel(kernel, channels, colours=(0, 1, 2)):
    """A first kernel for images of other channels, which answers the same where all are equal.

    The channels that are shown as red, green and blue get the kernel of their colour, the others
    these in turn; where several have one, each gets its share of it. Of one or two channels, each
    gets the sum of those in its place.

    Args:
        kernel: [h, w, 3, filters].
        channels: how many the images have.
        colours: the channels that are red, green and blue; where they aren't three different ones,
            the first three are.

    Returns:
        [h, w, channels, filters].
    """
    if channels < 3:
        places = [[k for k in range(3) if k % channels == c] for c in range(channels)]
        return np.stack([kernel[:, :, place].sum(2) for place in places], 2)
    colours = colours if len(set(colours)) == 3 else (0, 1, 2)
    owners = np.arange(channels) % 3
    rest = [channel for channel in range(channels) if channel not in colours]
    owners[list(colours)] = range(3)
    owners[rest] = np.arange(len(rest)) % 3
    counts = np.bincount(owners, minlength=3)
    return kernel[:, :, owners] / counts[owners].astype(kernel.dtype)[:, None]


def _set(variables, match, origin, colours):
    """Sets the variables once everything is read: a file that fails halfway changes nothing."""
    values = {}
    for path in match.fitting:
        shape, dtype = variables[path].shape, variables[path].dtype
        with np.errstate(over="ignore"):
            value = np.asarray(match.source[match.names[path]], dtype)
        if not np.isfinite(value).all():
            kind = "NaN" if np.isnan(value).any() else "an infinite value"
            raise TfsegError(f"{match.names[path]} in {origin} holds {kind}: nothing was loaded")
        # numpy copies turned kernels number by number, which takes longer than reading them. What
        # isn't turned stays as it is: TensorFlow holds on to arrays that it makes tensors of.
        values[path] = _convert(value, path, shape, match.layout, keras.ops.transpose)
        if path == match.spread:
            kernel, stated = np.asarray(values[path]), match.layout.preprocessing
            # Of channels in another number, the order is that of the images.
            kernel = kernel[:, :, ::-1] if stated and stated.channel_order == "BGR" else kernel
            values[path] = spread_kernel(kernel, shape[2], colours)
    for path, value in values.items():
        variables[path].assign(value)
