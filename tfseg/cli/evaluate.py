"""Scores a trained model, or any program's predictions, on a split of a data folder.

    tfseg evaluate --run_dir=runs/camvid
    tfseg evaluate … --protocol=ade20k          ADE20K's: means over all classes
    tfseg evaluate … --protocol=drn --flip      DRN's: six scales, mirrored too
    tfseg evaluate --predictions=FOLDER --data_dir=data/camvid

Prints the scores with 95% intervals. Writes metrics.json, with the protocol, report.html, a page
with charts and pictures, and images.npz, for `tfseg compare`, to RUN_DIR/eval/SPLIT or FOLDER.eval.
"""

import sys
import typing

from tqdm import tqdm

from tfseg import workflows
from tfseg.cli import judging, next_step, protocol, shared, trained_model
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given
from tfseg.evaluation.confusion import COUNTED_CLASSES
from tfseg.parallel import count_cores
from tfseg.parts import Unfinished
from tfseg.words import counted

if typing.TYPE_CHECKING:
    from tfseg.workflows import Evaluation

GROUPS = {
    "Model": trained_model.GROUP,
    "Data": "data_dir split output_dir visualize save_labels json jobs",
    "Protocol": protocol.GROUP,
    "Predictions": judging.GROUP,
    "Metrics": judging.METRICS_GROUP,
    "Dense CRF": "crf crf_option save_logits",
    "Devices": "batch_size part",
}
NEEDS = {
    **trained_model.NEEDS,
    **protocol.NEEDS,
    **protocol.CRF_NEEDS,
    **judging.NEEDS,
    "jobs": Need("--crf", given("crf", "predictions")),
    "replicas": shared.REPLICAS,
}


def define(flags: Flags) -> None:
    trained_model.define(flags)
    shared.define_data(flags, split="val")
    protocol.define(flags)
    protocol.define_crf(flags)
    judging.define(flags)
    flags.integer("jobs", count_cores(), "Processes for --crf and --predictions.", 1)
    flags.string("save_logits", None, "Folder for each image's logits, for `tfseg crf`.")
    flags.integer("batch_size", 1, "Images of one size that a device takes together.", 1)
    flags.choice(
        "absent_classes",
        None,
        COUNTED_CLASSES,
        "Whether the means leave out classes that occur nowhere (skip) or not in the truth "
        "(truth), or count them 0 (zero); default as the protocol has it: zero with ade20k, truth "
        "with deeplab_v2_original, else skip.",
    )
    flags.boolean(
        "save_labels", True, "Keep each image's label map in labels/, which comparisons show."
    )
    flags.boolean(
        "visualize",
        False,
        "Also write each image, its truth and prediction side by side, to panels/, the prediction "
        "laid over it to overlays/, and print each class's share of the prediction.",
    )
    flags.string(
        "output_dir",
        None,
        "Folder for the results; default RUN_DIR/eval/SPLIT, or FOLDER.eval beside --predictions; "
        "required with --weights.",
    )
    flags.choice(
        "strategy", "auto", ["auto", "one_device", "mirrored", "multi_worker"], "Distribution."
    )
    flags.integer(
        "replicas", 0, "Replicas of --strategy=mirrored: 0 for all GPUs; without GPUs, on the CPU."
    )
    shared.define_part(flags)
    flags.report()


def main(flags: Flags) -> None:
    judging.refuse(flags)
    found = judging.evaluate(flags) if flags.predictions else _evaluate_model(flags)
    if found is None:  # a worker that only helps the first
        return
    if isinstance(found, Unfinished):
        shared.say_unfinished(flags, found)
        return
    from tfseg.reports import summary
    from tfseg.workflows.trained import data_dir_of

    flags.found = found.values
    print(summary.table(found.values))
    rate = found.timed / found.seconds
    print(f"\n{counted(found.timed, 'image')} in {found.seconds:.1f} s, {rate:.2f} images/s")
    print(f"written: {', '.join(found.written)}")
    if not flags.predictions:
        source, model = trained_model.named_by(flags)
        data_dir = flags.data_dir or data_dir_of(source)
        next_step.say(next_step.after_evaluate(source, model, data_dir, flags.split))


def _evaluate_model(flags: Flags) -> "Evaluation | Unfinished | None":
    if flags.weights:
        flags.require("output_dir")
    with shared.progress_bar("image") as progress:
        return workflows.evaluate(
            trained_model.read(flags),
            flags.data_dir,
            flags.split,
            flags.output_dir,
            protocol=protocol.read(flags),
            crf=protocol.read_crf(flags),
            jobs=flags.jobs,
            save_logits=flags.save_logits,
            batch_size=flags.batch_size,
            absent_classes=flags.absent_classes,
            save_labels=flags.save_labels,
            visualize=flags.visualize,
            strategy=flags.strategy,
            replicas=flags.replicas,
            part=shared.read_part(flags, sharable=not flags.suspects),
            progress=progress,
            on_prediction=print_shares if flags.visualize else None,
            **judging.read(flags),
        )


def print_shares(title: str, shares: dict[str, float]) -> None:
    """Prints each class's share of an image, above a bar."""
    from tfseg.reports.summary import shares_text

    tqdm.write(shares_text(title, shares), file=sys.stdout)
