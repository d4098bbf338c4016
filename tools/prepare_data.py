"""Brings a data set into the form that training reads: lists, index PNGs, info.json.

    python tools/prepare_data.py --dataset=sample --data_dir=data/sample
    python tools/prepare_data.py --dataset=camvid --source=SegNet/CamVid --data_dir=data/camvid
    python tools/prepare_data.py --dataset=ade20k --source=ADEChallengeData2016 --data_dir=…
    python tools/prepare_data.py --dataset=folder --data_dir=my/data

"sample" draws small street scenes. "folder" is for a folder that has its lists already: it
computes mean and std of the training images into info.json. The others read the files of the
original in --source, which stays as it is. All can be run again.
"""

import re

import common
from absl import flags
from tqdm import tqdm

from tfseg.data import measure_folder, prepare_dataset, write_sample_dataset
from tfseg.data.catalog import DATASETS
from tfseg.errors import TfsegError

FLAGS = flags.FLAGS

flags.DEFINE_enum("dataset", None, [*DATASETS, "folder", "sample"], "Which data set.")
flags.DEFINE_string("source", None, "Folder with the original's files.")
flags.DEFINE_string("size", None, "Resize to WIDTHxHEIGHT, such as 240x176; default: as they are.")
common.define_data()


def main():
    common.require("dataset", "data_dir")
    if FLAGS.dataset in DATASETS:
        common.require("source")
        size = parse_size(FLAGS.size)
        with tqdm(unit="image", disable=None) as bar:

            def progress(done, total):
                bar.total = total
                bar.update(done - bar.n)

            counts, info = prepare_dataset(
                FLAGS.dataset, FLAGS.source, FLAGS.data_dir, size, progress
            )
    else:
        for name in ("source", "size"):
            if FLAGS[name].value is not None:
                raise TfsegError(f"--{name} has no meaning with --dataset={FLAGS.dataset}")
        make = write_sample_dataset if FLAGS.dataset == "sample" else measure_folder
        counts, info = make(FLAGS.data_dir)
    print_summary(counts, info)


def parse_size(text):
    """ "240x176" as (240, 176); None stays None."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise TfsegError(f"--size={text} is not of the form WIDTHxHEIGHT, such as 240x176")
    return int(match[1]), int(match[2])


def print_summary(counts, info):
    images = ", ".join(f"{count} {split}" for split, count in counts.items())
    print(f"{FLAGS.data_dir}: {images}")
    print("mean    " + "  ".join(f"{value:.4f}" for value in info.mean))
    print("std     " + "  ".join(f"{value:.4f}" for value in info.std))
    command = f"python tools/check_data.py --data_dir={FLAGS.data_dir}"
    if info.classes:
        print(f"classes {len(info.classes)}: {', '.join(info.classes)}")
    else:
        print('classes not named: add "classes" to info.json, or give --num_classes from now on')
        command += " --num_classes=<how many>"
    print(f"next:   {command}")


if __name__ == "__main__":
    common.run(main)
