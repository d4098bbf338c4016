"""Refines kept logits by a dense CRF, in several processes.

    python tools/evaluate.py … --save_logits=logits
    python tools/crf.py --data_dir=data/camvid --logits_dir=logits --output_dir=crf --jobs=8

Writes label maps (8-bit PNG) to OUTPUT_DIR/labels and metrics.json to OUTPUT_DIR. Run again after
an interruption, it does what is missing. With lists of values, it scores every combination on the
first --images of the split instead, and writes grid.json:

    python tools/crf.py … --grid=bilateral_xy=33,67 --grid=bilateral_rgb=3,5,9 --images=100
"""

import contextlib
import dataclasses
import os
import time

import common
import protocol
from absl import flags
from tqdm import tqdm

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import scores
from tfseg.evaluation.refined import compare_crfs, count_classes, refine_logits
from tfseg.evaluation.truth import Truth
from tfseg.files import write_json
from tfseg.inference.crf import CRF, grid
from tfseg.reports import summary

FLAGS = flags.FLAGS

common.define_data(split="val")
flags.DEFINE_string("logits_dir", None, "What --save_logits of tools/evaluate.py named.")
flags.DEFINE_string("output_dir", None, "Folder for the results.")
flags.DEFINE_integer("jobs", os.cpu_count(), "Processes.", 1)
flags.DEFINE_integer("images", 0, "The first so many images alone; 0 for all.", 0)
flags.DEFINE_multi_string("grid", [], "Parameter and values to compare, as bilateral_xy=33,67.")
protocol.define_crf()


def main():
    common.require("data_dir", "logits_dir", "output_dir")
    crf = protocol.read_crf()
    info = DataInfo.load(FLAGS.data_dir)
    image_list = read_split(FLAGS.data_dir, FLAGS.split)
    if FLAGS.images:
        image_list = image_list.first(FLAGS.images)
    num_classes = count_classes(FLAGS.logits_dir, image_list)
    truth = Truth(image_list, num_classes, info.label_map, info.ignore_label)
    if FLAGS.grid:
        return _search(grid(crf, **_grid()), truth)
    labels_dir = os.path.join(FLAGS.output_dir, "labels")
    with _watch(truth) as (show, seconds):
        matrix, count = refine_logits(crf, truth, FLAGS.logits_dir, labels_dir, FLAGS.jobs, show)
    facts = {
        "crf": crf.to_dict(),
        "logits_dir": os.path.abspath(FLAGS.logits_dir),
        "split": FLAGS.split,
        "images": len(image_list),
    }
    values = summary.metrics(matrix, info.classes, facts)
    path = os.path.join(FLAGS.output_dir, "metrics.json")
    summary.write(path, values)
    print(summary.table(values))
    there = f"; {len(image_list) - count} were there already" if count < len(image_list) else ""
    print(f"\nrefined {count} images in {seconds():.1f} s{there}")
    print(f"written to {path} and {labels_dir}")


def _search(choices, truth):
    """Scores every CRF, best first."""
    with _watch(truth) as (show, seconds):
        matrices = compare_crfs(choices, truth, FLAGS.logits_dir, FLAGS.jobs, show)
    found = [
        (scores(matrix)["mean_iou"] or 0.0, crf.to_dict())
        for matrix, crf in zip(matrices, choices, strict=True)
    ]
    found.sort(key=lambda pair: -pair[0])
    for score, parameters in found:
        print(f"mean IoU {score:.4f}  {summary.plain(parameters)}")
    path = os.path.join(FLAGS.output_dir, "grid.json")
    results = [{"mean_iou": score, **parameters} for score, parameters in found]
    write_json(path, {"split": FLAGS.split, "images": len(truth.image_list), "results": results})
    print(f"\n{len(found)} CRFs on {len(truth.image_list)} images in {seconds():.1f} s")
    print(f"the best first; written to {path}")


@contextlib.contextmanager
def _watch(truth):
    """A bar on a terminal: gives (what `progress` takes, function to the seconds gone by)."""
    start = time.perf_counter()
    with tqdm(total=len(truth.image_list), unit="image", disable=None) as bar:
        yield lambda n, _: bar.update(n - bar.n), lambda: time.perf_counter() - start


def _grid():
    """{parameter: values} of --grid."""
    names = [field.name for field in dataclasses.fields(CRF)]
    values = {}
    for text in FLAGS.grid:
        name, _, numbers = text.partition("=")
        numbers = common.parse_value(numbers)
        values[name] = numbers if isinstance(numbers, list) else [numbers]
        if name not in names or not all(type(x) in (int, float) for x in values[name]):
            raise TfsegError(f"--grid={text} must be one of {', '.join(names)}, then = and numbers")
    return values


if __name__ == "__main__":
    common.run(main)
