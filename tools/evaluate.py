"""Scores a trained model on a split of a data set.

    python tools/evaluate.py --run_dir=runs/camvid --data_dir=data/camvid --split=val

Prints per-class scores and writes metrics.json, with its protocol, to RUN_DIR/eval/SPLIT. ADE20K's
protocol, with several sizes of the image:

    python tools/evaluate.py … --eval_short_sides=300,400,500,600 --padding_constant=8 \
        --absent_classes=zero
"""

import contextlib
import os

import common
import protocol
import trained_model
from absl import flags
from tqdm import tqdm

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import Evaluator, report
from tfseg.evaluation.panels import PanelWriter
from tfseg.training.strategy import create_strategy, is_chief
from tfseg.weights import BEST_WEIGHTS

FLAGS = flags.FLAGS

trained_model.define()
common.define_data(split="val")
protocol.define()
flags.DEFINE_enum(
    "absent_classes",
    "skip",
    ["skip", "zero"],
    "Whether the means leave out classes that occur nowhere, or count them 0.",
)
flags.DEFINE_bool(
    "visualize", False, "Also write each image, its truth and prediction side by side, to panels/."
)
flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for metrics.json; default RUN_DIR/eval/SPLIT, required with --weights.",
)
flags.DEFINE_enum(
    "strategy", "auto", ["auto", "one_device", "mirrored", "multi_worker"], "Distribution."
)
flags.DEFINE_integer(
    "replicas", 0, "Replicas of --strategy=mirrored: 0 for all GPUs; without GPUs, on the CPU."
)


def main():
    common.require("data_dir")
    if FLAGS.weights:
        common.require("output_dir")
    info = DataInfo.load(FLAGS.data_dir)
    image_list = read_split(FLAGS.data_dir, FLAGS.split)
    strategy = create_strategy(FLAGS.strategy, FLAGS.replicas)
    with strategy.scope():
        predictor = trained_model.load_predictor()
    spec = predictor.spec
    if info.classes not in (None, spec.classes) and len(info.classes) != spec.num_classes:
        raise TfsegError(
            f"the model tells {spec.num_classes} classes apart, "
            f"{FLAGS.data_dir} has {len(info.classes)}"
        )
    evaluator = Evaluator(
        predictor.model,
        spec.preprocessing,
        protocol=protocol.read(),
        ignore_label=info.ignore_label,
        label_map=info.label_map,
        strategy=strategy,
    )
    output_dir = FLAGS.output_dir or os.path.join(FLAGS.run_dir, "eval", FLAGS.split)
    panels = contextlib.nullcontext()
    if FLAGS.visualize:
        panels = PanelWriter(
            image_list,
            os.path.join(output_dir, "panels"),
            predictor.palette,
            label_map=info.label_map,
            ignore_label=info.ignore_label,
        )
    quiet = None if is_chief(strategy) else True  # None: a bar on a terminal alone
    with panels as draw, tqdm(total=len(image_list), unit="image", disable=quiet) as bar:
        matrix = evaluator(image_list, lambda done, _: bar.update(done - bar.n), draw)
    if not is_chief(strategy):
        return
    facts = {
        **evaluator.inference.protocol,
        "ignore_label": info.ignore_label,
        "label_map": info.label_map,
        "data_dir": os.path.abspath(FLAGS.data_dir),
        "split": FLAGS.split,
        "images": len(image_list),
        "model": spec.name,
        "model_options": spec.options,
        "weights": _absolute(FLAGS.weights or os.path.join(FLAGS.run_dir, BEST_WEIGHTS)),
    }
    classes = info.classes or spec.classes
    values = report.metrics(matrix, classes, facts, FLAGS.absent_classes)
    path = os.path.join(output_dir, "metrics.json")
    report.write(path, values)
    print(report.table(values))
    print(f"\nwritten to {path}")


def _absolute(weights):
    # Several files, and releases of the zoo, have no one path.
    return os.path.abspath(weights) if os.path.exists(weights) else weights


if __name__ == "__main__":
    common.run(main)
