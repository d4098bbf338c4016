"""Metrics of label maps that are arrays already."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfseg.errors import TfsegError
from tfseg.evaluation.confusion import require_counted
from tfseg.evaluation.judge import measures_for
from tfseg.evaluation.measures import VOID, Maps
from tfseg.evaluation.measures import measure as measure_maps
from tfseg.evaluation.metrics import Settings
from tfseg.evaluation.records import Records
from tfseg.words import counted


def measure(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    num_classes: int,
    *,
    metrics: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    ignore_label: int = 255,
    absent_classes: str = "skip",
    settings: Settings | None = None,
) -> Records:
    """The numbers of each image, from which all metrics and their intervals are made.

    Args:
        pairs: (truth, prediction) of each image. The truth is [H, W], classes and `ignore_label`;
            the prediction is the same, where `ignore_label` stands for no class, which is missed;
            or probabilities, float [H, W, C], of all images or of none.
        num_classes: C, at most 255.
        metrics: names of `METRICS`; None for all that what is there allows.
        names: of the images; default their numbers.
        classes: C names for tables; default their numbers.
        ignore_label: the label of pixels that don't count.
        absent_classes: "skip", "truth" or "zero"; see `scores`.
        settings: `Settings`, such as another width of boundaries.

    Raises:
        TfsegError: values that aren't allowed, different shapes, or an unknown metric or rule for
            absent classes.
    """
    require_counted(absent_classes)
    settings = settings or Settings(num_classes)
    rows: list[np.ndarray] = []
    measures: tuple[str, ...] = ()
    for number, (truth, found) in enumerate(pairs):
        maps = _maps(truth, found, num_classes, ignore_label, number)
        if not rows:
            measures = measures_for(metrics, settings, maps.probabilities is not None)
        if "calibration" in measures and maps.probabilities is None:
            raise TfsegError(f"pair {number} has no probabilities, as others have")
        rows.append(measure_maps(maps, settings, measures))
    if names is not None and len(names) != len(rows):
        raise TfsegError(
            f"{counted(len(names), 'name')} for {counted(len(rows), 'image')}: they have to match"
        )
    facts: dict[str, Any] = {"absent_classes": absent_classes}
    if classes is not None:
        facts["classes"] = list(classes)
    records = Records.empty(names or map(str, range(len(rows))), settings, measures, facts)
    for index, row in enumerate(rows):
        records.put(index, row)
    return records


def _maps(
    truth: np.ndarray, found: np.ndarray, num_classes: int, ignore_label: int, number: int
) -> Maps:
    truth, found = np.asarray(truth), np.asarray(found)
    shapes = (truth.shape, (*truth.shape, num_classes))
    if truth.ndim != 2 or found.shape not in shapes:
        raise TfsegError(
            f"pair {number} has the shapes {list(truth.shape)} and {list(found.shape)}; wanted are "
            f"[H, W], and [H, W] or [H, W, {num_classes}]"
        )
    if found.ndim == 2:
        return Maps(*(_classes(one, num_classes, ignore_label, number) for one in (truth, found)))
    probabilities = found.astype(np.float32)
    labels = probabilities.argmax(-1).astype(np.uint8)
    return Maps(_classes(truth, num_classes, ignore_label, number), labels, probabilities)


def _classes(labels: np.ndarray, num_classes: int, ignore_label: int, number: int) -> np.ndarray:
    """uint8 with 255 for the ignore label."""
    if labels.dtype.kind not in "bui":
        raise TfsegError(f"pair {number} has labels of the type {labels.dtype}, not integers")
    ignored = labels == ignore_label
    wrong = labels[~ignored & ((labels < 0) | (labels >= num_classes))]
    if len(wrong):
        raise TfsegError(
            f"pair {number} has the value {wrong[0]}; allowed are 0..{num_classes - 1} and "
            f"{ignore_label}"
        )
    return np.where(ignored, VOID, labels).astype(np.uint8)
