"""Evaluations side by side: differences on the same images, and how sure they are."""

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from tfseg.errors import TfsegError
from tfseg.evaluation.intervals import Resampling, interval
from tfseg.evaluation.metrics import METRICS
from tfseg.evaluation.records import Records
from tfseg.visualize import class_names
from tfseg.words import counted


@dataclasses.dataclass(frozen=True)
class Contestant:
    """What is compared: one evaluation, or those of runs that differ by their seed alone.

    Attributes:
        name: what it is called.
        members: {name: `Records`} of its evaluations.
    """

    name: str
    members: Mapping[str, Records]


def summarize(
    records: Records,
    resampling: Resampling | None = None,
    metrics: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Scores of an evaluation with their intervals, as plain values.

    Args:
        records: `Records`.
        resampling: `Resampling`.
        metrics: names of `METRICS`; None for all that was measured.

    Returns:
        {"scores": {metric: {"value", "low", "high"}}, "classes": {metric: a list of these for each
        class}, "categories" and "curves": likewise, "names": of the categories, "places": what the
        numbers of a curve are of, "intervals": in words}; None for what has no value, and "low" and
        "high" of None without an interval.
    """
    resampling = resampling or Resampling()
    weights = resampling.weights(records.names)
    result: dict[str, Any] = {"scores": {}, "classes": {}, "categories": {}, "curves": {}}
    kinds = {"": "scores", "class": "classes", "category": "categories"}
    names = list(metrics or records.available())
    values = records.values(names)
    drawn = {} if weights is None else records.values(names, weights)
    for name in names:
        value, replicates = values[name], drawn.get(name)
        kind = kinds.get(METRICS[name].of, "curves")
        result[kind][name] = _entries(value, replicates)
    result["names"] = records.facts.get("categories")
    bins = records.settings.bins
    result["places"] = {
        "width": [f"within {counted(width, 'pixel')}" for width in records.settings.trimap_widths],
        "bin": [f"{index / bins:.2f} to {(index + 1) / bins:.2f}" for index in range(bins)],
    }
    result["intervals"] = None if weights is None else resampling.describe(records.names)
    return result


def _entries(value, replicates):
    """{"value", "low", "high"} of a number, or a list of such."""
    low, high = (np.nan * value,) * 2 if replicates is None else interval(replicates)
    if value.ndim:
        return [_entry(*part) for part in zip(value, low, high, strict=True)]
    return _entry(value, low, high)


def _entry(value, low, high):
    return {"value": _plain(value), "low": _plain(low), "high": _plain(high)}


def _plain(value):
    return None if np.isnan(value) else float(value)


def compare(
    contestants: Sequence[Contestant],
    resampling: Resampling | None = None,
    changed: int = 12,
) -> dict[str, Any]:
    """Contestants on the images that all of them have, the later ones against the first.

    Differences are paired: every replicate draws the same images for all. Of a contestant of
    several seeds, scores are means over them, and "spread" says how far the seeds are apart.

    Args:
        contestants: two or more.
        resampling: `Resampling`.
        changed: how many images to name that changed most, for the better and for the worse.

    Returns:
        Plain values: {"contestants": [{"name", "members": {name: {metric: value}}}], "images",
        "intervals", "scores": {metric: {"values": entries, "spread": [lowest and highest of the
        seeds, or None], "differences": entries with "sure": whether 0 lies outside}}, "classes":
        {metric: [for each class {"name", "values", "differences"}]}, "changed": [for each later
        contestant {"name", "better", "worse": [{"image", "before", "after"}]}]}.

    Raises:
        TfsegError: fewer than two, no image in common, or different classes or settings.
    """
    if len(contestants) < 2:
        raise TfsegError("a comparison needs two or more evaluations")
    contestants, names = _in_common(contestants)
    resampling = resampling or Resampling()
    weights = resampling.weights(names)
    everyone = [list(one.members.values()) for one in contestants]
    metrics = [
        name
        for name in everyone[0][0].available()
        if METRICS[name].of in ("", "class")
        and all(name in records.available() for group in everyone for records in group)
    ]
    exact = [[one.values(metrics) for one in group] for group in everyone]
    drawn = None
    if weights is not None:
        drawn = [[one.values(metrics, weights) for one in group] for group in everyone]
    first = everyone[0][0]
    classes = class_names(first.facts.get("classes"), first.settings.num_classes)
    return {
        "contestants": [
            {
                "name": one.name,
                "members": {
                    name: {x: _plain(value) for x, value in values.items() if not METRICS[x].of}
                    for name, values in zip(one.members, group, strict=True)
                },
            }
            for one, group in zip(contestants, exact, strict=True)
        ],
        "images": len(names),
        "intervals": None if weights is None else resampling.describe(names),
        "scores": {name: _score(name, exact, drawn) for name in metrics if not METRICS[name].of},
        "classes": {
            name: _of_classes(name, exact, drawn, classes) for name in metrics if METRICS[name].of
        },
        "changed": [
            {"name": one.name, **_changed(names, everyone[0], group, changed)}
            for one, group in zip(contestants[1:], everyone[1:], strict=True)
        ],
    }


def _score(metric, exact, drawn):
    """A score of all contestants; of several seeds their mean, and how far they are apart."""
    values = [np.array([one[metric] for one in group]) for group in exact]
    redrawn = drawn and [np.mean([one[metric] for one in group], 0) for group in drawn]
    spread = [[float(x.min()), float(x.max())] if len(x) > 1 else None for x in values]
    return {**_differences([x.mean() for x in values], redrawn), "spread": spread}


def _of_classes(metric, exact, drawn, classes):
    """A metric of each class, of all contestants."""
    values = [np.mean([one[metric] for one in group], 0) for group in exact]
    redrawn = drawn and [np.mean([one[metric] for one in group], 0) for group in drawn]
    return [
        {
            "name": name,
            **_differences(
                [value[index] for value in values],
                redrawn and [one[:, index] for one in redrawn],
            ),
        }
        for index, name in enumerate(classes)
    ]


def _differences(values, drawn):
    """The values and their differences to the first, with intervals."""
    drawn = drawn or [None] * len(values)
    pairs = list(zip(values, drawn, strict=True))
    entries = [_entries(np.asarray(value), replicates) for value, replicates in pairs]
    differences = []
    for value, replicates in pairs[1:]:
        apart = None if replicates is None else replicates - drawn[0]
        entry = _entries(np.asarray(value - values[0]), apart)
        low, high = entry["low"], entry["high"]
        entry["sure"] = None if low is None else bool(low > 0 or high < 0)
        differences.append(entry)
    return {"values": entries, "differences": differences}


def _in_common(contestants):
    """The contestants with their records of the images that all have, in one order; the names."""
    every = [(name, one) for group in contestants for name, one in group.members.items()]
    reference = every[0][1]
    for name, records in every:
        if not records.whole:
            raise TfsegError(f"the evaluation {name} isn't finished")
        if len(set(records.names)) < len(records):
            raise TfsegError(f"the evaluation {name} has images of one name: they can't be paired")
        for what, one, other in (
            ("classes", reference.facts.get("classes"), records.facts.get("classes")),
            ("settings", reference.settings, records.settings),
            *(
                (key, reference.facts.get(key), records.facts.get(key))
                for key in ("absent_classes", "ignore_label", "label_map")
            ),
        ):
            if one != other:
                raise TfsegError(
                    f"{every[0][0]} and {name} can't be compared: they differ in their {what}"
                )
    common = set.intersection(*(set(records.names) for _, records in every))
    names = [name for name in reference.names if name in common]
    if not names:
        raise TfsegError("the evaluations have no image in common")
    found, true = [], None
    for group in contestants:
        members = {}
        for name, records in group.members.items():
            place = {image: index for index, image in enumerate(records.names)}
            picked = members[name] = records.picked([place[image] for image in names])
            true = picked.dense("counts")[:, 1] if true is None else true
            differ = (picked.dense("counts")[:, 1] != true).any(1)
            if differ.any():
                raise TfsegError(
                    f"{every[0][0]} and {name} can't be compared: the label map of "
                    f"{names[differ.argmax()]} was another one"
                )
        found.append(Contestant(group.name, members))
    return found, names


def _changed(names, before, after, count):
    """The images whose own mean IoU changed most."""

    def of(group):
        each = np.stack([records.dense("image") for records in group])
        value, there = each[..., 0].mean(0), each[..., 1].all(0)
        return np.where(there, value, np.nan)

    old, new = of(before), of(after)
    change = new - old
    order = [index for index in np.argsort(-change) if not np.isnan(change[index])]
    entries = [
        {"image": names[index], "before": float(old[index]), "after": float(new[index])}
        for index in order
    ]
    better = [entry for entry in entries[:count] if entry["after"] > entry["before"]]
    worse = [entry for entry in entries[::-1][:count] if entry["after"] < entry["before"]]
    return {"better": better, "worse": worse}


def group_by_seed(settings: Mapping[str, Set[str] | None]) -> list[tuple[str, list[str]]]:
    """Names in groups: runs with the same settings, their seed aside, are one.

    Args:
        settings: {name: the run's settings without its seed, or None for what is no run}.

    Returns:
        [(the group's name, names of its members)] in the order given.
    """
    groups: dict[Any, list[str]] = {}
    for name, own in settings.items():
        groups.setdefault(name if own is None else frozenset(own), []).append(name)
    return [(_title(names), names) for names in groups.values()]


def _title(names: list[str]) -> str:
    """The group's own: its one member, the folder of all, or the first and how many more."""
    if len(names) == 1:
        return names[0]
    folders = {name.rpartition("/")[0] for name in names}
    if len(folders) == 1 and "" not in folders:
        return f"{folders.pop()} ({counted(len(names), 'seed')})"
    return f"{names[0]} and {counted(len(names) - 1, 'more seed')}"
