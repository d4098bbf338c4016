"""Scores of any program's predictions: TensorFlow isn't needed."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

from absl import logging

from tfseg import visualize
from tfseg.data.catalog import read_classes
from tfseg.data.info import DataInfo
from tfseg.data.lists import read_split
from tfseg.errors import TfsegError
from tfseg.evaluation.judge import judge_predictions, reading_rule
from tfseg.evaluation.predictions import find_predictions, read_prediction
from tfseg.evaluation.records import FILE_NAME
from tfseg.evaluation.truth import Truth
from tfseg.evaluation.worst import find_worst
from tfseg.workflows import evaluated


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
    suspects: int = 0,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> evaluated.Evaluation:
    """Scores a folder of label maps, whatever program has made them.

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
        absent_classes: whether the means leave out classes that occur nowhere ("skip") or not in
            the truth ("truth"), or count them 0 ("zero").
        group_by: "folder", or a regular expression whose match in an image's name is its group,
            such as a video's name: intervals draw groups as a whole.
        replicates: of the bootstrap; 0 for no intervals.
        suspects: write errors.html, with what is missed and mistaken of each class and, given
            probabilities, so many likely wrong labels, which suspects.json lists; 0 for neither.
        jobs: processes; default one for each core.
        progress: called as progress(done, total) with numbers of images.

    Raises:
        PredictionErrors: predictions can't be used: `errors` has a line for each.
        TfsegError: whatever else the user can put right.
    """
    start = time.perf_counter()
    if suspects and not output_dir:
        raise TfsegError("`suspects` needs an `output_dir`")
    info, image_list = DataInfo.load(data_dir), read_split(data_dir, split)
    resampling = evaluated.resampling(image_list.names, group_by, replicates)
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
    matrix = records.matrix()
    facts = {
        "name": "predictions of another program",
        "predictions": os.path.abspath(predictions),
        "ids": "of the data set" if ids else "class indices",
        "resized": resize,
        **_facts(info, data_dir, split, records, matrix),
    }
    values = evaluated.summarize(
        records,
        matrix,
        info.classes,
        facts,
        absent_classes,
        metrics=metrics,
        resampling=resampling,
    )
    written: list[str] = []
    if output_dir:
        paths, _ = find_predictions(predictions, image_list)
        palette = info.palette or visualize.default_palette(len(info.classes))
        truth = Truth(image_list, rule.num_classes, info.label_map, info.ignore_label)

        def labels_of(index):
            return read_prediction(paths[index], truth.labels(index).shape, rule)[0]

        gallery = evaluated.gallery(records, truth, labels_of, palette, info.classes)
        written = evaluated.write(output_dir, values, gallery.panels(), palette)
        if suspects:
            worst = find_worst(
                image_list, paths, rule, info, suspects=suspects, jobs=jobs, progress=progress
            )
            if not worst.with_probabilities:
                logging.warning("likely wrong labels need probabilities (.npy): none are named")
            written += evaluated.write_errors(output_dir, worst, truth, info.classes, palette)
        written.append(os.path.join(output_dir, FILE_NAME))
    seconds = time.perf_counter() - start
    return evaluated.Evaluation(values, records, written, seconds, len(records))


def _facts(info, data_dir, split, records, matrix):
    """The protocol of the scores: what was judged, and which labels count."""
    return {
        "without_class": int(matrix[:, -1].sum()),
        "data_dir": os.path.abspath(data_dir),
        "split": split,
        "images": len(records),
        "ignore_label": info.ignore_label,
        "label_map": info.label_map,
    }


def _rule(info, ids, color_map, resize):
    values = colours = None
    if ids:
        if info.label_map is None:
            raise TfsegError("`ids` needs a label_map in info.json, which takes ids to classes")
        values = info.label_map
    if color_map:
        colours = read_classes(color_map, colours=True)["color_map"]
    return reading_rule(info, values=values, colours=colours, resize=resize)
