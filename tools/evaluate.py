"""Scores a trained model on a split of a data set.

    python tools/evaluate.py --run_dir=runs/camvid --data_dir=data/camvid --split=val

Prints per-class scores and writes metrics.json, with its protocol, to RUN_DIR/eval/SPLIT.
"""

import os

import common
import trained_model
from absl import flags
from tqdm import tqdm

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import Evaluator, report
from tfseg.training.strategy import create_strategy, is_chief
from tfseg.weights import BEST_WEIGHTS

FLAGS = flags.FLAGS

trained_model.define()
common.define_data(split="val")
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
        ignore_label=info.ignore_label,
        label_map=info.label_map,
        strategy=strategy,
    )
    quiet = None if is_chief(strategy) else True  # None: a bar on a terminal alone
    with tqdm(total=len(image_list), unit="image", disable=quiet) as bar:
        matrix = evaluator(image_list, lambda done, _: bar.update(done - bar.n))
    if not is_chief(strategy):
        return
    protocol = {
        **evaluator.inference.protocol,
        "ignore_label": info.ignore_label,
        "label_map": info.label_map,
        "data_dir": os.path.abspath(FLAGS.data_dir),
        "split": FLAGS.split,
        "images": len(image_list),
        "model": spec.name,
        "model_options": spec.options,
        "weights": os.path.abspath(FLAGS.weights or os.path.join(FLAGS.run_dir, BEST_WEIGHTS)),
    }
    values = report.metrics(matrix, info.classes or spec.classes, protocol)
    output_dir = FLAGS.output_dir or os.path.join(FLAGS.run_dir, "eval", FLAGS.split)
    path = os.path.join(output_dir, "metrics.json")
    report.write(path, values)
    print(report.table(values))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    common.run(main)
