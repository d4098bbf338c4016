"""Checks a data folder: every file exists, decodes, matches in size, and has valid labels.

    python tools/check_data.py --data_dir=data/camvid

Prints the splits and their class frequencies. Exits with 1, and a line for each error that names
file, value and count, where something is wrong.
"""

import sys

import common
from absl import flags

from tfseg.data import check_dataset

FLAGS = flags.FLAGS

flags.DEFINE_integer("num_classes", 0, "Number of classes; 0: as info.json names.", lower_bound=0)
flags.DEFINE_list("splits", ["train", "val"], "The splits to check.")
flags.DEFINE_boolean("quick", False, "Read all headers but decode only a few files.")
flags.DEFINE_integer("max_errors", 20, "How many errors to print.", lower_bound=1)
common.define_data()


def main():
    common.require("data_dir", "splits")
    report = check_dataset(FLAGS.data_dir, FLAGS.num_classes, FLAGS.splits, FLAGS.quick)
    if report.splits:
        print(report.table())
    for error in report.errors[: FLAGS.max_errors]:
        print(f"error: {error}", file=sys.stderr)
    more = len(report.errors) - FLAGS.max_errors
    if more > 0:
        print(f"error: and {more} more; --max_errors prints them", file=sys.stderr)
    if not report.errors:
        count = sum(split.pairs for split in report.splits.values())
        print(f"\nnothing wrong with {count} images and their label maps")
    return 1 if report.errors else 0


if __name__ == "__main__":
    common.run(main)
