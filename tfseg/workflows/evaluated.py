"""What evaluations have in common: their results, and how these are written."""

import dataclasses
import functools
import json
import os
from typing import Any

from tfseg.errors import TfsegError
from tfseg.evaluation import comparison
from tfseg.evaluation.intervals import Resampling, groups_by
from tfseg.evaluation.records import Records
from tfseg.parts import PartFiles, file_marks
from tfseg.reports import html, summary, suspects
from tfseg.reports.gallery import Gallery
from tfseg.words import counted


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation has found, and where it is written.

    Attributes:
        values: what metrics.json holds: scores, classes, confusion matrix, protocol, intervals.
        records: the numbers of each image.
        written: paths of the files and folders, what people look at first.
        seconds: that it took, from files to scores.
        timed: how many images were handled in these: a part's own, otherwise all.
    """

    values: dict[str, Any]
    records: Records
    written: list[str]
    seconds: float
    timed: int

    def __repr__(self):
        scores = self.values["scores"]
        named = [f"{title} {scores[key]:.4f}" for key, title in summary.SUMMARY if scores.get(key)]
        images = self.values["protocol"]["images"]
        return f"<Evaluation of {counted(images, 'image')}: {', '.join(named)}; {self.written[0]}>"

    def __str__(self):
        return summary.table(self.values)

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


def resampling(names, group_by, replicates):
    """The `Resampling` that arguments of evaluations and comparisons state."""
    return Resampling(replicates, groups=groups_by(names, group_by) if group_by else None)


def record_facts(facts, absent_classes, predictions=None):
    """What `Records.facts` holds of an evaluation's protocol.

    Args:
        facts: the protocol, as metrics.json has it.
        absent_classes: see `tfseg.evaluation.confusion.scores`.
        predictions: the folder of label maps, as seen from that of the records; or None.
    """
    label_map = facts["label_map"] and {str(x): y for x, y in facts["label_map"].items()}
    kept = {**facts, "label_map": label_map, "absent_classes": absent_classes}
    return kept if predictions is None else {**kept, "predictions": predictions}


def summarize(records, matrix, classes, facts, absent_classes, *, metrics, resampling):
    """The content of metrics.json: scores with intervals, and the protocol."""
    details = comparison.summarize(records, resampling, metrics)
    return summary.metrics(matrix, classes, facts, absent_classes, details)


def write(output_dir, values, panels, palette, run_dir=None):
    """Writes metrics.json and report.html; returns their paths."""
    paths = [os.path.join(output_dir, name) for name in ("metrics.json", "report.html")]
    summary.write(paths[0], values)
    html.write(paths[1], values, panels, palette, run_dir)
    return paths


def gallery(records, truth, labels_of, palette, classes):
    """The `Gallery` of the images that went best and worst, read again.

    Args:
        records: `Records`.
        truth: `Truth` of the same list.
        labels_of: function of an image's place to its predicted label map.
        palette, classes: as for `Gallery`.
    """
    pictures = Gallery(truth.image_list.names, palette, classes)
    each = records.dense("image")
    order = [i for i in each[:, 0].argsort(kind="stable") if each[i, 1]]
    for index in sorted({*order[: pictures.count], *order[-pictures.count :]}):
        pictures(truth.predicted(index, labels_of(index)))
    return pictures


def part_files(output_dir, part, image_list, records, weights):
    """The `PartFiles` of an evaluation: their records count while weights and files stay.

    Args:
        output_dir: the folder.
        part: `Part`.
        image_list: the whole list.
        records: those of the part.
        weights: the digest of the weights.
    """
    settings = dataclasses.asdict(records.settings)
    about = json.dumps([weights, settings, records.measures, records.facts], default=str)

    @functools.cache
    def key(one):
        files = image_list.pick(one.of(len(image_list))).files
        return f"{about}\n{file_marks(files)}"

    return PartFiles(output_dir, part, key)


def write_errors(output_dir, worst, truth, classes, palette):
    """Writes errors.html and, given probabilities, suspects.json; returns their paths.

    Args:
        output_dir: the folder.
        worst: `Worst`.
        truth: the `Truth` that was looked at.
        classes: names.
        palette: [red, green, blue] per class.
    """
    place = {name: index for index, name in enumerate(truth.image_list.names)}

    def load(name):
        return truth.picture(place[name]), truth.labels(place[name])

    titles = {}
    for name, missed, mistaken in zip(classes, worst.missed, worst.mistaken, strict=True):
        titles[f"{name}: most often missed"] = missed
        titles[f"{name}: most often mistaken for it"] = mistaken
    written = [os.path.join(output_dir, "errors.html")]
    # Of more pictures a page takes long to open; the list has all.
    suspects.write(written[0], worst.suspects[:200], titles, load, classes, palette)
    if worst.with_probabilities:
        written.append(os.path.join(output_dir, "suspects.json"))
        suspects.write_list(written[1], worst.suspects, classes)
    return written
