"""Refines kept logits by a dense CRF, in several processes.

    python tools/evaluate.py … --save_logits=logits
    python tools/crf.py --data_dir=data/camvid --logits_dir=logits --output_dir=crf --jobs=8

Writes label maps (8-bit PNG) to OUTPUT_DIR/labels and metrics.json to OUTPUT_DIR. Run again after
an interruption, it does what is missing. With lists of values, it scores every combination on the
first --images of the split instead, and writes grid.json:

    python tools/crf.py … --grid=bilateral_xy=33,67 --grid=bilateral_rgb=3,5,9 --images=100
"""

import dataclasses
import os

import common
import protocol
from absl import flags
from tqdm import tqdm

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import report, scores
from tfseg.evaluation.crf import CRF, grid
from tfseg.evaluation.refined import count_classes, refine_logits
from tfseg.evaluation.truth import Truth
from tfseg.files import write_json

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
    matrix = _matrix(crf, truth, labels_dir)
    facts = {
        "crf": crf.to_dict(),
        "logits_dir": os.path.abspath(FLAGS.logits_dir),
        "split": FLAGS.split,
        "images": len(image_list),
    }
    values = report.metrics(matrix, info.classes, facts)
    path = os.path.join(FLAGS.output_dir, "metrics.json")
    report.write(path, values)
    print(report.table(values))
    print(f"\nwritten to {path} and {labels_dir}")


def _matrix(crf, truth, labels_dir=None):
    with tqdm(total=len(truth.image_list), unit="image", disable=None) as bar:
        return refine_logits(
            crf, truth, FLAGS.logits_dir, labels_dir, FLAGS.jobs, lambda n, _: bar.update(n - bar.n)
        )


def _search(choices, truth):
    """Scores every CRF, best first."""
    results = []
    for crf in choices:
        score = scores(_matrix(crf, truth))["mean_iou"]
        results.append({"mean_iou": score, **crf.to_dict()})
        print(f"mean IoU {score:.4f}  {report.plain(crf.to_dict())}")
    results.sort(key=lambda one: -one["mean_iou"])
    path = os.path.join(FLAGS.output_dir, "grid.json")
    write_json(path, {"split": FLAGS.split, "images": len(truth.image_list), "results": results})
    print(f"\nbest: {report.plain(results[0])}\nwritten to {path}")


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
