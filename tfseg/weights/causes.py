"""What to say about weights that don't fit: what is wrong, and most likely why."""

import functools
import re

from tfseg.encoders import ENCODERS, drn
from tfseg.weights.foreign import library_of
from tfseg.weights.layouts.families import family
from tfseg.weights.layouts.layout import is_filter, is_head
from tfseg.weights.sources import shape_of
from tfseg.words import counted

# What a file holds that only models with an option have: (expression over the names of entries
# without a place, what they are, the option).
_OPTIONS = (
    (r"(^|/)w_avg(_\d+)?$", "trained average filters", "trainable_average=True"),
    (r"(^|/)fix_w(_\d+)?$", "smoothing filters", "dilated_type=smooth_GI or smooth_SSC"),
    (r"(^|/)c_vector$", "factors of smoothing filters", "dilated_type=aggregation"),
)


# The convolutions of a unit of each kind.
_LAYERS = {
    "conv": [""],
    "basic": ["/conv1", "/conv2"],
    "bottleneck": ["/conv1", "/conv2", "/conv3"],
}


def explain(model, match, origin, new_head):
    """One line: what doesn't fit, with the first names of each side, and the likely cause.

    Args:
        model: the model.
        match: the best `Match`.
        origin: where the source came from.
        new_head: whether the head was allowed to differ.
    """
    faults = []
    if match.missing:
        sought = [match.names[path] or path for path in match.missing]
        are = counted(len(match.missing), "variable is", "variables are")
        faults.append(f"{are} not in it ({_some(sought)})")
    if match.unused:
        have = counted(len(match.unused), "of its entries has", "of its entries have")
        faults.append(f"{have} no place ({_some(match.unused)})")
    if match.wrong:
        shapes = [
            f"{match.names[path]} is {list(found)}, wanted {list(wanted)}"
            for path, (found, wanted) in match.wrong.items()
        ]
        differ = counted(len(shapes), "shape differs", "shapes differ")
        faults.append(f"{differ} ({_some(shapes, 2)})")
    cause = _likely_cause(match, new_head)
    if library := library_of(list(match.source)):
        cause = f"it was saved by {library.name}: {_of_library(library, match, cause)}"
    return f"weights from {origin} don't fit {_name(model)}: {'; '.join(faults)}; {cause}"


def _some(names, count=3):
    names = list(names)
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")


def _name(model):
    return model.spec.name if hasattr(model, "spec") else model.name


def _of_library(library, match, cause):
    """What can be taken of another library's model, or why nothing can."""
    encoder = [path for path in match.names if not is_head(path)]
    if encoder and all(path in match.fitting for path in encoder):
        return "its encoder fits: ask for a new head (`new_head`) to take it"
    prefix = library.prefix or ""
    shapes = _shapes(match.source, prefix)
    if library.prefix and (encoders := encoders_in(shapes)):
        return (
            f"its encoder may be that of {' or '.join(encoders)}: give the model such a one and "
            "ask for a new head (`new_head`)"
        )
    return f"nothing of it fits, {library.why}"


def _likely_cause(match, new_head):
    source = match.source
    if not source:
        return "the source is empty"
    for mark, what, option in _OPTIONS:
        if any(re.search(mark, name) for name in match.unused):
            return f"it holds {what}: give the model {option}"
    at_fault = {*match.missing, *match.wrong}
    if at_fault and not match.unused and all(map(is_filter, at_fault)):
        return (
            "only the smoothing filters are missing, as in weights of plain dilated convolutions: "
            "ask for a new head (`new_head`) to keep fresh filters"
        )
    in_head = all(re.search(match.layout.head, name) for name in match.unused)
    if match.fitting and in_head:
        if all(map(is_head, [*match.fitting, *match.wrong])):
            return "it holds a decoder alone: give the encoder's file as well"
        if not new_head and all(is_head(path) or is_filter(path) for path in at_fault):
            return _head_cause(match)
    encoders = encoders_in(_shapes(source))
    if encoders:
        stem = " (the stems differ)" if any("/stem" in path for path in at_fault) else ""
        return f"its layers are those of {' or '.join(encoders)}{stem}"
    if not match.fitting:
        return (
            "no name is known here: most likely it was saved from another kind of model, or by "
            "another library"
        )
    if any("/stem" in path for path in at_fault):
        return "the stem differs: most likely it belongs to another variant of the encoder"
    return "most likely it belongs to another model"


def _head_cause(match):
    counts = {shapes for path, shapes in match.wrong.items() if path.endswith("/bias")}
    if not match.missing and len(counts) == 1:
        (((found,), (wanted,)),) = counts
        return (
            f"it has {counted(found, 'class')}, the model {wanted}: give the model {found}, "
            "or ask for a new head (`new_head`)"
        )
    if not match.unused and not any(map(is_head, [*match.fitting, *match.wrong])):
        return (
            "it holds an encoder alone: give the decoder's file as well, or ask for a new head "
            "(`new_head`) to keep a fresh one"
        )
    if not match.missing and not match.wrong:
        return "the model has no place for a part of its head: ask to leave it behind (`new_head`)"
    return (
        "only the head differs, which belongs to a classifier or to another decoder: ask for a new "
        "head (`new_head`) to keep a fresh one"
    )


def _shapes(source, prefix=""):
    """{name without the prefix: shape} of the entries that have it."""
    names = [name for name in source if name.startswith(prefix)]
    return {name.removeprefix(prefix): shape_of(source, name) for name in names}


def encoders_in(shapes):
    """Names of the encoders whose convolutions, all of them, are in {original name: shape}."""
    found = {}
    for name, kernels in _signatures():
        if kernels and all(
            kernel in shapes and shape in (None, sorted(shapes[kernel]))
            for kernel, shape in kernels.items()
        ):
            found[name] = max(found.get(name, 0), len(kernels))
    return [name for name, count in found.items() if count == max(found.values())]


@functools.cache
def _signatures():
    """[(encoder's name, {original name of each of its convolutions: sorted shape or None})].

    A row per layout. ResNeXt and Wide ResNet differ from ResNet in shapes alone, all of them in
    that of the first 3x3 convolution.
    """
    rows = []
    for row in ENCODERS.values():
        # The same layers as those of the name that it begins with.
        if not row.style or row.name.endswith(("_dilated8", "_dilated16")):
            continue
        stems = ["stem1", "stem2", "stem3"] if row.style == "ade20k" else ["stem"]
        units = drn.units(row) if row.style.startswith("drn") else [row.block] * 4
        if not _LAYERS.keys() >= set(units):  # a network of other blocks, which no file is known of
            continue
        shapes = dict.fromkeys(_kernels(stems, units, row.blocks))
        if "bottleneck" in units:
            first = f"encoder/stage{units.index('bottleneck') + 1}_block1/conv2/conv/kernel"
            shapes[first] = sorted((3, 3, row.width, row.width * row.groups))
        for layout in family(row, row.blocks):
            named = {layout.original(path): shape for path, shape in shapes.items()}
            named.pop(None, None)
            rows.append((row.name, named))
    return rows


def _kernels(stems, units, blocks):
    """Our paths of an encoder's convolutions, projections left out."""
    paths = [f"encoder/{stem}/conv/kernel" for stem in stems]
    for stage, (unit, count) in enumerate(zip(units, blocks, strict=True), 1):
        word = "conv" if unit == "conv" else "block"
        for number in range(1, count + 1):
            unit_path = f"encoder/stage{stage}_{word}{number}"
            paths += [f"{unit_path}{layer}/conv/kernel" for layer in _LAYERS[unit]]
    return paths
