"""Scores a trained model on a split of a data folder.

    tfseg evaluate --run_dir=runs/camvid --data_dir=data/camvid --split=val
    tfseg evaluate … --protocol=ade20k          ADE20K's: means over all classes
    tfseg evaluate … --protocol=drn --flip      DRN's: six scales, mirrored too

Prints the scores of each class and writes metrics.json, with its protocol, and report.html, a page
with charts and pictures, to RUN_DIR/eval/SPLIT.
"""

import os
import sys

from tqdm import tqdm

from tfseg import workflows
from tfseg.cli import protocol, shared, trained_model
from tfseg.cli.flags import Flags

GROUPS = {
    "Model": trained_model.GROUP,
    "Data": "data_dir split output_dir",
    "Protocol": f"{protocol.GROUP} absent_classes",
    "Dense CRF": "crf crf_option save_logits jobs",
    "Pictures": "visualize",
    "Devices": "batch_size strategy replicas",
}


def define(flags: Flags) -> None:
    trained_model.define(flags)
    shared.define_data(flags, split="val")
    protocol.define(flags)
    protocol.define_crf(flags)
    flags.integer("jobs", os.cpu_count(), "Processes for --crf.", 1)
    flags.string("save_logits", None, "Folder for each image's logits, for `tfseg crf`.")
    flags.integer("batch_size", 1, "Images of one size that a device takes together.", 1)
    flags.choice(
        "absent_classes",
        None,
        ["skip", "truth", "zero"],
        "Whether the means leave out classes that occur nowhere (skip) or not in the truth "
        "(truth), or count them 0 (zero); default zero with --protocol=ade20k, else skip.",
    )
    flags.boolean(
        "visualize",
        False,
        "Also write each image, its truth and prediction side by side, to panels/, and print each "
        "class's share of the prediction.",
    )
    flags.string(
        "output_dir",
        None,
        "Folder for metrics.json; default RUN_DIR/eval/SPLIT, required with --weights.",
    )
    flags.choice(
        "strategy", "auto", ["auto", "one_device", "mirrored", "multi_worker"], "Distribution."
    )
    flags.integer(
        "replicas", 0, "Replicas of --strategy=mirrored: 0 for all GPUs; without GPUs, on the CPU."
    )


def main(flags: Flags) -> None:
    flags.require("data_dir")
    if flags.weights:
        flags.require("output_dir")
    # The ADE20K code's means run over all classes, whatever else the flags change.
    absent_classes = flags.absent_classes or ("zero" if flags.protocol == "ade20k" else None)
    with shared.progress_bar("image") as progress:
        found = workflows.evaluate(
            trained_model.read(flags),
            flags.data_dir,
            flags.split,
            flags.output_dir,
            protocol=protocol.read(flags),
            crf=protocol.read_crf(flags),
            jobs=flags.jobs,
            save_logits=flags.save_logits,
            batch_size=flags.batch_size,
            absent_classes=absent_classes,
            visualize=flags.visualize,
            strategy=flags.strategy,
            replicas=flags.replicas,
            progress=progress,
            on_prediction=print_shares if flags.visualize else None,
        )
    if found is None:  # a worker that only helps the first
        return
    from tfseg.reports import summary

    images = found.values["protocol"]["images"]
    print(summary.table(found.values))
    print(f"\n{images} images in {found.seconds:.1f} s, {images / found.seconds:.2f} images/s")
    print(f"written to {found.metrics_path} and {found.report_path}")


def print_shares(title: str, shares: dict[str, float]) -> None:
    """Prints each class's share of an image, above a bar."""
    from tfseg.reports.summary import shares_text

    tqdm.write(shares_text(title, shares), file=sys.stdout)
