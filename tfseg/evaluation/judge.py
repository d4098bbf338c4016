"""Scores of label maps, whoever predicted them: reading, checking and counting on all cores."""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tfseg.data.info import DataInfo
from tfseg.data.lists import ImageList, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation.categories import category_indices, known_categories
from tfseg.evaluation.confusion import require_counted
from tfseg.evaluation.measures import Maps, measure
from tfseg.evaluation.metrics import MEASURES, METRICS, Settings
from tfseg.evaluation.predictions import Reading, find_predictions, read_prediction
from tfseg.evaluation.records import FILE_NAME, Records
from tfseg.evaluation.truth import Truth
from tfseg.files import damage_is_value_error
from tfseg.parallel import count_cores, in_order, process_pool

# Fewer images than this aren't worth processes of their own.
_FEW = 16
_SAVE_EVERY = 30  # seconds


class PredictionErrors(TfsegError):
    """What is wrong with predictions, all of it.

    Attributes:
        errors: a line each.
    """

    def __init__(self, errors):
        self.errors = list(errors)
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(self.errors[0] + more)


def measures_for(
    metrics: Sequence[str] | None,
    settings: Settings,
    probabilities: bool = False,
    default: Iterable[str] = METRICS,
) -> tuple[str, ...]:
    """The measures that metrics need and what is there allows, in the order of their table.

    Args:
        metrics: names of `METRICS`; None for those of `default` that can be had.
        settings: `Settings`.
        probabilities: whether there are any.
        default: names of `METRICS`.

    Raises:
        TfsegError: an unknown metric, or one that needs what isn't there.
    """
    there = {
        "labels": True,
        "probabilities": probabilities,
        "categories": settings.categories is not None,
    }
    wanted = {"confusion", "counts", "image"}
    for name in metrics or default:
        needed = METRICS.find(name).measure
        if there[MEASURES[needed].needs]:
            wanted.add(needed)
        elif metrics:
            raise TfsegError(f"the metric {name} needs {MEASURES[needed].needs}")
    return tuple(name for name in MEASURES if name in wanted)


def needs_probabilities(metrics: Sequence[str] | None) -> bool:
    """Whether one of these names of `METRICS` can't be had of label maps alone."""
    needs = (MEASURES[METRICS.find(name).measure].needs for name in metrics or ())
    return "probabilities" in needs


def judge_predictions(
    folder: str,
    data_dir: str,
    split: str = "val",
    *,
    metrics: Sequence[str] | None = None,
    rule: Reading | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    settings: Settings | None = None,
    absent_classes: str = "skip",
    output_dir: str | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Records:
    """Measures the predictions of a folder against the labels of a split.

    What is wrong is collected over all files before anything is computed from them. Where
    `output_dir` has an earlier evaluation of the same settings, images whose two files haven't
    changed since are taken from there, also after an interruption or after errors were mended.

    Args:
        folder: of predictions; see `find_predictions` and `read_prediction`.
        data_dir: the data folder.
        split: its split.
        metrics: names of `METRICS`; None for all that what is there allows.
        rule: a `Reading`; default values are classes, colours those of info.json.
        categories: {category: [class names]}; default those of Cityscapes and COCO-Stuff, where the
            classes are theirs.
        settings: `Settings`; default those of the papers.
        absent_classes: "skip", "truth" or "zero"; see `scores`.
        output_dir: gets `images.npz`; None for nothing.
        jobs: processes; default one for each core.
        progress: called as progress(done, total) with numbers of images.

    Returns:
        `Records`, whole.

    Raises:
        TfsegError: the lists or info.json can't be used, or another `absent_classes`.
        PredictionErrors: predictions can't.
    """
    require_counted(absent_classes)
    info, image_list = DataInfo.load(data_dir), read_split(data_dir, split)
    rule = rule or reading_rule(info)
    settings, facts = settings_for(info.classes, categories, settings)
    paths, errors = find_predictions(folder, image_list)
    floats = _has_probabilities(next(path for path in paths if path))
    names = measures_for(metrics, settings, floats)
    facts |= {
        "absent_classes": absent_classes,
        "ignore_label": info.ignore_label,
        "label_map": info.label_map and {str(x): y for x, y in info.label_map.items()},
        "data_dir": os.path.abspath(data_dir),
        "split": split,
        "predictions": os.path.abspath(folder),
    }
    records = Records.empty(image_list.names, settings, names, facts)
    marks = [_mark(image_list, index, path, rule, info) for index, path in enumerate(paths)]
    store = output_dir and os.path.join(output_dir, FILE_NAME)
    if store:
        _recall(records, marks, store)
    missing = [index for index, path in enumerate(paths) if path and records.rows[index] is None]
    # Each call has one file's part of the list: all of it would go to a process every time.
    calls = ((image_list.pick([index]), paths[index]) for index in missing)
    work = functools.partial(_measured, info.label_map, info.ignore_label, rule, settings, names)
    done, saved = len(image_list) - len(missing), time.monotonic()
    for index, (row, error) in zip(missing, run_all(work, calls, len(missing), jobs), strict=True):
        if error:
            errors.append(error)
        else:
            records.put(index, row, marks[index])
        done += 1
        if progress:
            progress(done, len(image_list))
        if store and time.monotonic() - saved > _SAVE_EVERY:
            records.save(store)
            saved = time.monotonic()
    if store and (missing or not errors):
        records.save(store)
    if errors:
        raise PredictionErrors(errors)
    return records


def settings_for(
    classes: Sequence[str],
    categories: Mapping[str, Sequence[str]] | None = None,
    settings: Settings | None = None,
) -> tuple[Settings, dict]:
    """The `Settings` for some classes, and the names of classes and categories as facts.

    Raises:
        TfsegError: the categories don't fit the classes.
    """
    table = categories or known_categories(classes)
    settings = settings or Settings(len(classes))
    if table:
        indices = category_indices(table, classes)
        settings = dataclasses.replace(settings, categories=indices)
    return settings, {"classes": list(classes), "categories": table and list(table)}


def reading_rule(info: DataInfo, **options) -> Reading:
    """The `Reading` that fits a data folder.

    Raises:
        TfsegError: info.json doesn't say how many classes there are.
    """
    if not info.classes:
        raise TfsegError('info.json has no class names: add them as "classes"')
    palette = info.palette and info.palette[: len(info.classes)]
    options = {"ignore_label": info.ignore_label, "palette": palette, **options}
    return Reading(num_classes=len(info.classes), **options)


def _has_probabilities(path):
    if not path.lower().endswith(".npy"):
        return False
    try:
        with damage_is_value_error():
            return np.load(path, mmap_mode="r", allow_pickle=False).dtype.kind == "f"
    except (OSError, ValueError):
        return False  # is said where it is read


def run_all(work, calls, count, jobs):
    """Yields work(*call) for each of `count` calls, in their order, in processes where it pays."""
    jobs = min(jobs or count_cores(), count // _FEW + 1)
    if jobs == 1:
        yield from (work(*call) for call in calls)
        return
    with process_pool(jobs) as pool:
        yield from in_order(pool, work, calls, 4 * jobs)


def _measured(label_map, ignore_label, rule, settings, names, image_list, path):
    """(row, None), or (None, what is wrong), of a prediction; may run in another process."""
    try:
        true = Truth(image_list, rule.num_classes, label_map, ignore_label).labels(0)
        labels, probabilities = read_prediction(path, true.shape, rule)
        if "calibration" in names and probabilities is None:
            raise TfsegError(f"prediction {path} has no probabilities, as others have")
        return measure(Maps(true, labels, probabilities), settings, names), None
    except TfsegError as error:
        return None, str(error)


def _mark(image_list: ImageList, index, path, rule, info):
    """What the numbers of an image depend on, as text."""
    times = []
    for file in (path, image_list.labels[index]):
        try:
            status = os.stat(file)
            times.append(f"{os.path.abspath(file)} {status.st_size} {status.st_mtime_ns}")
        except (OSError, TypeError):
            times.append("")
    offset = image_list.offsets and image_list.offsets[index]
    return f"{times} {offset} {rule} {info.label_map} {info.ignore_label}"


def _recall(records, marks, store):
    """Takes over what an earlier evaluation of the same settings has of unchanged files."""
    try:
        before = Records.load(store)
    except TfsegError:
        return
    if (before.settings, before.measures) != (records.settings, records.measures):
        return
    earlier = dict(zip(before.names, zip(before.rows, before.marks, strict=True), strict=True))
    for index, name in enumerate(records.names):
        row, mark = earlier.get(name, (None, ""))
        if mark and mark == marks[index]:
            records.rows[index], records.marks[index] = row, mark
