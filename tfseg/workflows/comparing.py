"""Comparisons of runs, evaluations and folders of predictions: TensorFlow isn't needed."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfseg import legends, runs, visualize
from tfseg.data.info import DataInfo
from tfseg.data.lists import ImageList, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import comparison
from tfseg.evaluation.judge import judge_predictions, reading_rule
from tfseg.evaluation.predictions import Reading, find_predictions, read_prediction
from tfseg.evaluation.records import FILE_NAME, Records
from tfseg.evaluation.truth import Truth
from tfseg.files import write_json
from tfseg.reports import comparison as comparison_report
from tfseg.reports.summary import entry_title, plain
from tfseg.workflows import evaluated

# Facts of records that say where things are, or have to be equal.
_NO_SETTINGS = {
    *("classes", "categories", "label_map", "ignore_label", "absent_classes"),
    *("images", "data_dir", "predictions", "weights"),
}


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
        What `tfseg.evaluation.comparison.compare` returns, and "differs": {contestant: flags of its
        training and facts of its protocol that others don't share}.

    Raises:
        TfsegError: whatever the user can put right.
    """
    names = _short_names(sources)
    records, flags, facts = {}, {}, {}
    for name, source in zip(names, sources, strict=True):
        records[name] = _records(source, data_dir, split, progress)
        flags[name] = _flags(source)
        facts[name] = _facts(records[name])
    groups = comparison.group_by_seed(
        {name: flags[name] and flags[name] | facts[name] if seeds else None for name in names}
    )
    if len(groups) == 1 < len(names):
        raise TfsegError("all of these differ by their seed alone: there is nothing to compare")
    contestants = [
        comparison.Contestant(title, {name: records[name] for name in members})
        for title, members in groups
    ]
    images = next(iter(records.values())).names
    values = comparison.compare(contestants, evaluated.resampling(images, group_by, replicates))
    first = {title: members[0] for title, members in groups}
    values["differs"] = _differences(first, flags, facts)
    if output_dir:
        write_json(os.path.join(output_dir, "comparison.json"), values)
        page = os.path.join(output_dir, "comparison.html")
        comparison_report.write(page, values, _Pictures(records))
    return values


def _flags(source):
    """The flags of a run's training, as lines without the seed's; None of what is no run."""
    text = runs.read_config(source)
    return text and {x for x in text.splitlines() if not x.startswith(("--seed=", "--run_dir="))}


def _facts(records):
    """How label maps came about, as lines."""
    entries = records.facts.items()
    return {f"{entry_title(x)}: {plain(y)}" for x, y in entries if x not in _NO_SETTINGS}


def _differences(first, *settings):
    """{contestant: its lines that not all share}.

    Args:
        first: {contestant: its first member}.
        *settings: {member: lines, or nothing where it has no such settings}.
    """
    result = {title: [] for title in first}
    for lines in settings:
        if all(lines[name] for name in first.values()):
            shared = set.intersection(*(lines[name] for name in first.values()))
            for title, name in first.items():
                result[title] += sorted(lines[name] - shared)
    return result


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
            records = Records.load(path)
            if "predictions" in records.facts:
                records.facts["predictions"] = os.path.join(folder, records.facts["predictions"])
            return records
    if not os.path.isdir(source):
        raise TfsegError(f"there is no folder {source}")
    if flags := runs.read_config(source):
        folders = [x.partition("=")[2] for x in flags.splitlines() if x.startswith("--data_dir=")]
        raise TfsegError(
            f"the run {source} has no evaluation of the split {split} with its images' numbers",
            remedy=("evaluate", {"run_dir": source, "data_dir": folders[0], "split": split})
            if folders
            else None,
        )
    if data_dir is None:
        raise TfsegError(
            f"{source} has no {FILE_NAME}: as a folder of predictions, it needs `data_dir`"
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
        shown, maps, info = {}, [], None
        for title, facts in self.facts.items():
            try:
                found, info = self._of(name, title, facts, bool(shown))
            except (TfsegError, KeyError):
                continue  # moved since, or never kept: the page has its numbers all the same
            palette = info.palette or visualize.default_palette(len(info.classes))
            for heading, pixels in found.items():
                if pixels.ndim == 2:
                    maps.append(pixels)
                    pixels = visualize.colorize(pixels, palette)
                shown[heading] = pixels
        return shown, legends.occurring(maps, info.classes, palette) if maps else []

    def _of(self, name, title, facts, further):
        """Pictures and label maps by their titles, and the `DataInfo` of their classes."""
        key = facts["data_dir"], facts["split"]
        if key not in self._lists:
            self._lists[key] = read_split(*key), DataInfo.load(key[0])
        image_list, info = self._lists[key]
        index = image_list.names.index(name)
        truth = Truth(image_list, len(info.classes), info.label_map, info.ignore_label)
        image, labels = truth.picture(index), truth.labels(index)
        step = max(1, -(-image.shape[1] // self.width))
        shown = {}
        if not further:
            shown["image"] = image[::step, ::step]
            shown["truth"] = labels[::step, ::step]
        if "predictions" in facts:
            folder = facts["predictions"]
            if folder not in self._folders:
                paths, _ = find_predictions(folder, image_list)
                self._folders[folder] = dict(zip(image_list.names, paths, strict=True))
            rule: Reading = reading_rule(info, resize=True)
            found, _ = read_prediction(self._folders[folder][name], labels.shape, rule)
            shown[title] = found[::step, ::step]
        return shown, info
