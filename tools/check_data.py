"""Checks a data folder: every file exists, decodes, matches in size, and has valid labels.

    python tools/check_data.py --data_dir=data/camvid
    python tools/check_data.py --data_dir=data/camvid --contact_sheet=camvid.html

Prints the splits and their class frequencies. Exits with 1, and a line for each error that names
file, value and count, where something is wrong. What it finds is kept in check.jsonl in the data
folder, so that an interrupted check goes on, and a later one reads only files that have changed.
"""

import os
import sys

import common
from absl import flags
from tqdm import tqdm

from tfseg.data import check_dataset
from tfseg.reports.contact_sheet import write_contact_sheet

FLAGS = flags.FLAGS

flags.DEFINE_integer("num_classes", 0, "Number of classes; 0: as info.json names.", lower_bound=0)
flags.DEFINE_list("splits", ["train", "val"], "The splits to check.")
flags.DEFINE_boolean("quick", False, "Read all headers but decode only a few files.")
flags.DEFINE_boolean("resume", True, "Keep what is found in check.jsonl, and use what it says.")
flags.DEFINE_integer("max_errors", 20, "How many errors, and warnings, to print.", lower_bound=1)
flags.DEFINE_string("contact_sheet", None, "HTML file to write with sampled images and overlays.")
flags.DEFINE_integer("sheet_images", 24, "How many images of each split it shows.", lower_bound=1)
common.define_data()


def main():
    common.require("data_dir", "splits")
    journal = None
    if FLAGS.resume and not FLAGS.quick and os.path.isdir(FLAGS.data_dir):
        journal = os.path.join(FLAGS.data_dir, "check.jsonl")
    with tqdm(unit="image", disable=None) as bar:

        def progress(done, total):
            if done < bar.n:
                bar.reset()
            bar.total = total
            bar.update(done - bar.n)

        report = check_dataset(
            FLAGS.data_dir, FLAGS.num_classes, FLAGS.splits, FLAGS.quick, journal, progress
        )
    if report.splits:
        print(report.table())
    if FLAGS.contact_sheet:
        write_contact_sheet(FLAGS.contact_sheet, FLAGS.data_dir, report, FLAGS.sheet_images)
        print(f"look at {FLAGS.contact_sheet}")
    for kind, messages in (("warning", report.warnings), ("error", report.errors)):
        for message in messages[: FLAGS.max_errors]:
            print(f"{kind}: {message}", file=sys.stderr)
        more = len(messages) - FLAGS.max_errors
        if more > 0:
            print(f"{kind}: and {more} more; --max_errors prints them", file=sys.stderr)
    if not report.errors and not report.warnings:
        count = sum(split.pairs for split in report.splits.values())
        print(f"\nnothing wrong with {count} images and their label maps")
    return 1 if report.errors else 0


if __name__ == "__main__":
    common.run(main)
