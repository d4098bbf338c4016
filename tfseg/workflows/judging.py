"""Scores of any program's predictions, and comparisons: TensorFlow isn't needed for either."""

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfseg import runs, visualize
from tfseg.data.catalog import read_classes
from tfseg.data.info import DataInfo
from tfseg.data.lists import ImageList, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import comparison
from tfseg.evaluation.intervals import Resampling, groups_by
from tfseg.evaluation.judge import judge_predictions, reading_rule
from tfseg.evaluation.predictions import Reading, find_predictions, read_prediction
from tfseg.evaluation.records import FILE_NAME, Records
from tfseg.evaluation.truth import Truth
from tfseg.evaluation.worst import find_worst
from tfseg.files import write_json
from tfseg.reports import comparison as comparison_report
from tfseg.reports import html, summary
from tfseg.reports import suspects as suspects_report
from tfseg.reports.gallery import Gallery


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What was found of a folder of predictions.

    Attributes:
        values: what metrics.json holds: scores, classes, confusion matrix, protocol, intervals.
        records: the numbers of each image.
        written: paths of what was written.
        seconds: that it took.
    """

    values: dict[str, Any]
    records: Records
    written: list[str]
    seconds: float

    def frame(self):
        """A pandas DataFrame with a row for each class and a column for each of its metrics.

        Raises:
            TfsegError: pandas isn't installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise TfsegError("a DataFrame needs pandas: pip install pandas") from error
        return pandas.DataFrame(self.values["classes"]).set_index("name")


def judge(
    predictions: str,
    data_dir: str,
    split: str = "val",
    output_dir: str | None = None,
    *,
    metrics: Sequence[str] | None = None,
    ids: bool = False,
    color_map: str | None = None,
    resize: bool = False,
    categories: Mapping[str, Sequence[str]] | None = None,
    absent_classes: str = "skip",
    group_by: str | None = None,
    replicates: int = 2000,
    errors: int = 0,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Judgement:
    """Scores a folder of label maps, whatever program has made them.

        tfseg.evaluate(predictions="theirs", data_dir="data/camvid").frame()

    Args:
        predictions: the folder; see `tfseg.evaluation.predictions.find_predictions` for names, and
            `read_prediction` for the kinds of files.
        data_dir: the data folder.
        split: which of its lists.
        output_dir: gets metrics.json, report.html and images.npz, from which a further call takes
            what hasn't changed; None for nothing.
        metrics: names of `METRICS`; None for all that what is there allows.
        ids: the predictions hold the data set's own ids, which label_map of info.json takes to
            classes.
        color_map: a CSV file of colours and classes (see `read_classes`), for files of colours and
            for palettes in another order; default the palette of info.json.
        resize: bring predictions of another size to their labels' one; otherwise an error.
        categories: {category: [class names]}; default those of Cityscapes and COCO-Stuff, where
            the classes are theirs.
        absent_classes: whether the means leave out classes that occur nowhere ("skip") or count
            them 0 ("zero").
        group_by: "folder", or a regular expression whose match in an image's name is its group,
            such as a video's name: intervals draw groups as a whole.
        replicates: of the bootstrap; 0 for no intervals.
        errors: how many likely wrong labels to name in errors.json and show in errors.html, beside
            what is missed and mistaken of each class; 0 for none.
        jobs: processes; default one for each core.
        progress: called as progress(done, total) with numbers of images.

    Raises:
        PredictionErrors: predictions can't be used: `errors` has a line for each.
        TfsegError: whatever else the user can put right.
    """
    start = time.perf_counter()
    if errors and not output_dir:
        raise TfsegError("errors needs an output_dir")
    info, image_list = DataInfo.load(data_dir), read_split(data_dir, split)
    rule = _rule(info, ids, color_map, resize)
    records = judge_predictions(
        predictions,
        data_dir,
        split,
        metrics=metrics,
        rule=rule,
        categories=categories,
        absent_classes=absent_classes,
        output_dir=output_dir,
        jobs=jobs,
        progress=progress,
    )
    resampling = Resampling(replicates, groups=group_by and groups_by(records.names, group_by))
    details = comparison.summarize(records, resampling)
    matrix = records.matrix()
    facts = {
        "name": "predictions of another program",
        "predictions": os.path.abspath(predictions),
        "ids": "of the data set" if ids else "class indices",
        "resized": resize,
        "without_class": int(matrix[:, -1].sum()),
        "data_dir": os.path.abspath(data_dir),
        "split": split,
        "images": len(records),
        "ignore_label": info.ignore_label,
        "label_map": info.label_map,
    }
    values = summary.metrics(matrix, info.classes, facts, absent_classes, details)
    written: list[str] = []
    if output_dir:
        written = [os.path.join(output_dir, name) for name in ("metrics.json", "report.html")]
        summary.write(written[0], values)
        paths, _ = find_predictions(predictions, image_list)
        palette = info.palette or visualize.default_palette(len(info.classes))
        gallery = _gallery(records, image_list, paths, rule, info, palette)
        html.write(written[1], values, gallery.panels(), palette)
        if errors:
            written += _write_errors(
                output_dir, image_list, paths, rule, info, palette, errors, jobs, progress
            )
    return Judgement(values, records, written, time.perf_counter() - start)


def _rule(info, ids, color_map, resize):
    values = colours = None
    if ids:
        if info.label_map is None:
            raise TfsegError("ids needs a label_map in info.json, which takes ids to classes")
        values = info.label_map
    if color_map:
        colours = read_classes(color_map, colours=True)["color_map"]
    return reading_rule(info, values=values, colours=colours, resize=resize)


def _gallery(records, image_list, paths, rule, info, palette):
    """Pictures of the images that went best and worst."""
    gallery = Gallery(image_list.names, palette)
    each = records.dense("image")
    order = [i for i in each[:, 0].argsort(kind="stable") if each[i, 1]]
    truth = Truth(image_list, rule.num_classes, info.label_map, info.ignore_label)
    for index in sorted({*order[: gallery.count], *order[-gallery.count :]}):
        labels, _ = read_prediction(paths[index], truth.labels(index).shape, rule)
        gallery(truth.predicted(index, labels))
    return gallery


def _write_errors(folder, image_list, paths, rule, info, palette, count, jobs, progress):
    """Writes errors.json and errors.html; returns their paths."""
    found = find_worst(image_list, paths, rule, info, suspects=count, jobs=jobs, progress=progress)
    truth = Truth(image_list, rule.num_classes, info.label_map, info.ignore_label)
    place = {name: index for index, name in enumerate(image_list.names)}

    def load(name):
        return truth.image(place[name]), truth.labels(place[name])

    titles = {}
    for index, name in enumerate(info.classes):
        titles[f"{name}: most often missed"] = found.missed[index]
        titles[f"{name}: most often mistaken for it"] = found.mistaken[index]
    paths = [os.path.join(folder, name) for name in ("errors.json", "errors.html")]
    suspects_report.write_list(paths[0], found.suspects, info.classes)
    # Of more pictures a page takes long to open; the list has all.
    suspects_report.write(paths[1], found.suspects[:200], titles, load, info.classes, palette)
    return paths


def compare(
    sources: Sequence[str],
    data_dir: str | None = None,
    split: str = "val",
    output_dir: str | None = None,
    *,
    group_by: str | None = None,
    replicates: int = 2000,
    seeds: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compares runs, evaluations and folders of predictions on the images that all have.

    Args:
        sources: of each, a run directory whose split was evaluated, the output_dir of an
            evaluation, or a folder of predictions; the others are compared with the first.
        data_dir: the data folder; needed for folders of predictions, which are judged as by
            `judge` with its defaults.
        split: which split of the runs and of the data folder.
        output_dir: gets comparison.json and comparison.html; None for nothing.
        group_by, replicates: as for `judge`.
        seeds: whether runs that differ by their seed alone are one, with mean and spread.
        progress: called as progress(done, total) for each folder of predictions.

    Returns:
        What `tfseg.evaluation.comparison.compare` returns.

    Raises:
        TfsegError: whatever the user can put right.
    """
    names = _short_names(sources)
    records = {
        name: _records(source, data_dir, split, progress)
        for name, source in zip(names, sources, strict=True)
    }
    configs = {
        name: runs.read_config(source) if seeds else None
        for name, source in zip(names, sources, strict=True)
    }
    contestants = [
        comparison.Contestant(title, {name: records[name] for name in members})
        for title, members in comparison.group_by_seed(configs)
    ]
    if len(contestants) == 1 < len(names):
        raise TfsegError("all of these differ by their seed alone: there is nothing to compare")
    images = next(iter(records.values())).names
    groups = groups_by(images, group_by) if group_by else None
    values = comparison.compare(contestants, Resampling(replicates, groups=groups))
    if output_dir:
        write_json(os.path.join(output_dir, "comparison.json"), values)
        page = os.path.join(output_dir, "comparison.html")
        comparison_report.write(page, values, _Pictures(records))
    return values


def _short_names(sources):
    """The last parts of paths, as many as it takes to tell them apart."""
    parts = [os.path.abspath(source).split(os.sep) for source in sources]
    if len(set(map(tuple, parts))) < len(parts):
        raise TfsegError("the same folder stands twice in the comparison")
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def _records(source, data_dir, split, progress):
    for folder in (runs.evaluation_dir(source, split), source):
        path = os.path.join(folder, FILE_NAME)
        if os.path.isfile(path):
            return Records.load(path)
    if os.path.isfile(os.path.join(source, runs.CONFIG)):
        raise TfsegError(
            f"the run {source} has no evaluation of the split {split} with its images: evaluate it"
        )
    if data_dir is None:
        raise TfsegError(
            f"{source} has no {FILE_NAME}: as a folder of predictions, it needs a data_dir"
        )
    return judge_predictions(source, data_dir, split, progress=progress)


class _Pictures:
    """An image, its truth, and what each contestant whose files are there predicts."""

    def __init__(self, records: Mapping[str, Records], width: int = 360):
        self.width = width
        self._lists: dict[tuple, tuple[ImageList, DataInfo]] = {}
        self._folders: dict[str, dict[str, str]] = {}
        self.facts = {name: one.facts for name, one in records.items()}

    def __call__(self, name):
        shown = {}
        for title, facts in self.facts.items():
            try:
                shown |= self._of(name, title, facts, bool(shown))
            except (TfsegError, KeyError):
                continue  # moved since, or never kept: the page has its numbers all the same
        return shown

    def _of(self, name, title, facts, further):
        key = facts["data_dir"], facts["split"]
        if key not in self._lists:
            self._lists[key] = read_split(*key), DataInfo.load(key[0])
        image_list, info = self._lists[key]
        index = image_list.names.index(name)
        truth = Truth(image_list, len(info.classes), info.label_map, info.ignore_label)
        palette = info.palette or visualize.default_palette(len(info.classes))
        image, labels = truth.image(index), truth.labels(index)
        step = max(1, -(-image.shape[1] // self.width))
        shown = {}
        if not further:
            shown["image"] = image[::step, ::step]
            shown["truth"] = visualize.colorize(labels[::step, ::step], palette)
        if "predictions" in facts:
            folder = facts["predictions"]
            if folder not in self._folders:
                paths, _ = find_predictions(folder, image_list)
                self._folders[folder] = dict(zip(image_list.names, paths, strict=True))
            rule: Reading = reading_rule(info, resize=True)
            found, _ = read_prediction(self._folders[folder][name], labels.shape, rule)
            shown[title] = visualize.colorize(found[::step, ::step], palette)
        return shown
