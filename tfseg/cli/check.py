"""Checks a data folder: every file exists, decodes, matches in size, and has valid labels.

    tfseg check --data_dir=data/camvid
    tfseg check --data_dir=data/camvid --contact_sheet=camvid.html

Prints the splits and their class frequencies. Exits with 1, and a line for each error that names
file, value and count, where something is wrong. What it finds is kept in check.jsonl in the data
folder, so that an interrupted check goes on, and a later one reads only files that have changed.
"""

import sys

from tfseg import workflows
from tfseg.cli import next_step, shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given
from tfseg.words import counted

GROUPS = {
    "Data": "data_dir splits num_classes",
    "How": "quick resume",
    "What it shows": "max_errors contact_sheet sheet_images json",
}
NEEDS = {"sheet_images": Need("--contact_sheet=FILE.html", given("contact_sheet"))}


def define(flags: Flags) -> None:
    flags.integer("num_classes", 0, "Number of classes; 0: as info.json names.", 0)
    flags.several("splits", ["train", "val"], "The splits to check.")
    flags.boolean("quick", False, "Read all headers but decode only a few files.")
    flags.boolean("resume", True, "Keep what is found in check.jsonl, and use what it says.")
    flags.integer("max_errors", 20, "How many errors, and warnings, to print.", 1)
    flags.string("contact_sheet", None, "HTML file to write with sampled images and overlays.")
    flags.integer("sheet_images", 24, "How many images of each split it shows.", 1)
    shared.define_data(flags)
    flags.report()


def main(flags: Flags) -> int | None:
    flags.require("data_dir", "splits")
    with shared.progress_bar("image") as progress:
        report = workflows.check(
            flags.data_dir,
            flags.splits,
            flags.num_classes,
            quick=flags.quick,
            resume=flags.resume,
            contact_sheet=flags.contact_sheet,
            sheet_images=flags.sheet_images,
            progress=progress,
        )
    if report.splits:
        print(report.table())
    if flags.contact_sheet:
        print(f"look at {flags.contact_sheet}")
    for kind, messages in (("warning", report.warnings), ("error", report.errors)):
        for message in messages[: flags.max_errors]:
            print(f"{kind}: {flags.spell(message)}", file=sys.stderr)
        more = len(messages) - flags.max_errors
        if more > 0:
            print(f"{kind}: and {more} more; --max_errors prints them", file=sys.stderr)
    if not report.errors and not report.warnings:
        count = sum(split.pairs for split in report.splits.values())
        pairs = counted(count, "image and its label map", "images and their label maps")
        print(f"\nnothing wrong with {pairs}")
    flags.found = {
        "errors": report.errors,
        "warnings": report.warnings,
        "classes": report.classes,
        "images": {name: split.pairs for name, split in report.splits.items()},
        "shares": report.frequencies,
    }
    if not report.errors:
        next_step.say(next_step.after_check(flags.data_dir, flags.num_classes))
    return 1 if report.errors else 0
