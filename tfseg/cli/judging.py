"""The flags of predictions, intervals and comparisons, which several verbs have."""

import sys
import typing
from typing import Any

from tfseg import workflows
from tfseg.cli import shared
from tfseg.cli.flags import COMMON, Flags
from tfseg.cli.needs import Need, given
from tfseg.errors import TfsegError
from tfseg.evaluation.metrics import METRICS

if typing.TYPE_CHECKING:
    from tfseg.workflows import Evaluation

# Flags that go with --predictions alone, and such as models take as well.
_OWN = ("ids", "color_map", "resize")
_BOTH = {
    *("predictions", "data_dir", "split", "output_dir", "jobs", "absent_classes"),
    *("metrics", "categories", "group_by", "replicates", "suspects", "json", *COMMON),
}
GROUP = " ".join(("predictions", *_OWN))
METRICS_GROUP = "metrics absent_classes group_by replicates suspects"
# What the flags of `define_intervals` need.
INTERVAL_NEEDS = {
    "group_by": Need("--replicates=2000", given("replicates"), against="--replicates=0")
}
# What those of `define` need.
NEEDS = {
    **INTERVAL_NEEDS,
    **{name: Need("--predictions=FOLDER", given("predictions")) for name in _OWN},
}


def define(flags: Flags) -> None:
    """Defines the flags for predictions of any program, and for metrics."""
    flags.string(
        "predictions",
        None,
        "Instead of a model: a folder of any program's label maps. They are called like the images "
        "or their label maps: PNG of indices, of a palette or of colours, .npy of labels or of "
        "probabilities.",
    )
    flags.boolean(
        "ids", False, "They hold the data set's own ids, which label_map takes to classes."
    )
    flags.string("color_map", None, "CSV of name, red, green, blue, for colours and palettes.")
    flags.boolean("resize", False, "Bring those of another size to their labels' one.")
    flags.choices(
        "metrics",
        [],
        METRICS,
        "Which metrics; default all, of models those that only count pixels. " + METRICS.help(),
    )
    flags.string("categories", None, "JSON of {category: [classes]} for the category metrics.")
    define_intervals(flags)
    flags.integer(
        "suspects",
        0,
        "Name so many likely wrong labels in suspects.json, and show them in errors.html, which "
        "has what is missed and mistaken of each class as well. It takes probabilities: of a model "
        "it has them.",
        0,
    )


def define_intervals(flags: Flags) -> None:
    """Defines the flags for intervals."""
    flags.string(
        "group_by",
        None,
        "Images of a group, such as a video, are drawn together for the intervals: folder, or a "
        "regular expression whose match in a name is the group, such as ^[^_]+.",
    )
    flags.integer("replicates", 2000, "Replicates of the bootstrap; 0 for no intervals.", 0)


def read(flags: Flags) -> dict[str, Any]:
    """What the flags of metrics say, as arguments of `workflows.evaluate`."""
    from tfseg.evaluation.categories import read_categories

    return {
        "metrics": flags.metrics or None,
        "categories": flags.categories and read_categories(flags.categories),
        "group_by": flags.group_by,
        "replicates": flags.replicates,
        "suspects": flags.suspects,
    }


def refuse(flags: Flags) -> None:
    """Refuses flags that would be overlooked: those of models beside --predictions."""
    for name in flags:
        if not flags[name].present or name in _BOTH:
            continue
        if flags.predictions and name not in _OWN:
            raise TfsegError(f"--{name} is for models: leave it out with --predictions")


def evaluate(flags: Flags) -> "Evaluation":
    """Scores the folder --predictions; returns `Evaluation`."""
    from tfseg.evaluation.judge import PredictionErrors

    folder = flags.predictions.rstrip("/\\")
    with shared.progress_bar("image") as progress:
        try:
            return workflows.evaluate(
                predictions=folder,
                data_dir=flags.data_dir,
                split=flags.split,
                output_dir=flags.output_dir or f"{folder}.eval",
                ids=flags.ids,
                color_map=flags.color_map,
                resize=flags.resize,
                absent_classes=flags.absent_classes or "skip",
                jobs=flags.jobs,
                progress=progress,
                **read(flags),
            )
        except PredictionErrors as error:
            # Each is a line; the last is the command's own.
            for line in error.errors[:-1]:
                print(f"error: {flags.spell(line)}", file=sys.stderr)
            raise TfsegError(error.errors[-1]) from error
