"""Scores a trained model on a split of a data set.

    python tools/evaluate.py --run_dir=runs/camvid --data_dir=data/camvid --split=val

Prints per-class scores and writes metrics.json, with its protocol, and report.html, a page with
charts and pictures, to RUN_DIR/eval/SPLIT. ADE20K's
protocol, whose means run over all classes, and DRN's with six scales, mirrored too:

    python tools/evaluate.py … --protocol=ade20k
    python tools/evaluate.py … --protocol=drn --flip
"""

import contextlib
import os
import sys
import time

import common
import protocol
import trained_model
from absl import flags, logging
from tqdm import tqdm

from tfseg import runs
from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import Evaluator
from tfseg.evaluation.refined import evaluate_refined
from tfseg.evaluation.truth import Truth
from tfseg.reports import html, summary
from tfseg.reports.gallery import Gallery
from tfseg.reports.panels import PanelWriter
from tfseg.training.strategy import create_strategy, is_chief

FLAGS = flags.FLAGS

trained_model.define()
common.define_data(split="val")
protocol.define()
protocol.define_crf()
flags.DEFINE_bool("crf", False, "Refine the label maps by a dense CRF.")
flags.DEFINE_integer("jobs", os.cpu_count(), "Processes for --crf.", 1)
flags.DEFINE_string("save_logits", None, "Folder for each image's logits, for tools/crf.py.")
flags.DEFINE_integer("batch_size", 1, "Images of one size that a device takes together.", 1)
flags.DEFINE_enum(
    "absent_classes",
    None,
    ["skip", "truth", "zero"],
    "Whether the means leave out classes that occur nowhere (skip) or not in the truth (truth), or "
    "count them 0 (zero); default zero with --protocol=ade20k, else skip.",
)
flags.DEFINE_bool(
    "visualize",
    False,
    "Also write each image, its truth and prediction side by side, to panels/, and print each "
    "class's share of the prediction.",
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
    one_by_one = bool(FLAGS.crf or FLAGS.save_logits)
    strategy = create_strategy(FLAGS.strategy, FLAGS.replicas, single=one_by_one)
    crf = protocol.read_crf() if FLAGS.crf else None
    with strategy.scope():
        predictor = trained_model.load_predictor(protocol.read(), crf)
    spec = predictor.spec
    if info.classes not in (None, spec.classes) and len(info.classes) != spec.num_classes:
        raise TfsegError(
            f"the model tells {spec.num_classes} classes apart, "
            f"{FLAGS.data_dir} has {len(info.classes)}"
        )
    classes = info.classes or spec.classes
    _compare_names(spec.classes, info.classes)
    output_dir = FLAGS.output_dir or runs.evaluation_dir(FLAGS.run_dir, FLAGS.split)
    draw = contextlib.nullcontext()
    if FLAGS.visualize:
        draw = PanelWriter(image_list, os.path.join(output_dir, "panels"), predictor.palette)
    gallery = Gallery(image_list.names, predictor.palette)
    quiet = None if is_chief(strategy) else True  # None: a bar on a terminal alone
    with draw as panels, tqdm(total=len(image_list), unit="image", disable=quiet) as bar:

        def show(predicted):
            gallery(predicted)
            if panels:
                panels(predicted)
                shares = summary.class_shares(predicted.labels, classes)
                text = summary.shares_text(image_list.image_titles[predicted.index], shares)
                tqdm.write(text, file=sys.stdout)

        start = time.perf_counter()
        matrix = _evaluate(
            predictor, image_list, info, strategy, lambda n, _: bar.update(n - bar.n), show
        )
        seconds = time.perf_counter() - start
    if not is_chief(strategy):
        return
    facts = {
        **predictor.inference.protocol,
        "crf": predictor.crf and predictor.crf.to_dict(),
        "ignore_label": info.ignore_label,
        "label_map": info.label_map,
        "data_dir": os.path.abspath(FLAGS.data_dir),
        "split": FLAGS.split,
        "images": len(image_list),
        "model": spec.name,
        "model_options": spec.options,
        "weights": _absolute(FLAGS.weights or os.path.join(FLAGS.run_dir, runs.BEST_WEIGHTS)),
    }
    # The ADE20K code's means run over all classes.
    absent = FLAGS.absent_classes or ("zero" if FLAGS.protocol == "ade20k" else "skip")
    values = summary.metrics(matrix, classes, facts, absent)
    path = os.path.join(output_dir, "metrics.json")
    summary.write(path, values)
    page = os.path.join(output_dir, "report.html")
    html.write(page, values, gallery.panels(), predictor.palette, FLAGS.run_dir)
    print(summary.table(values))
    speed = f"{len(image_list)} images in {seconds:.1f} s, {len(image_list) / seconds:.2f} images/s"
    print(f"\n{speed}\nwritten to {path} and {page}")


def _evaluate(predictor, image_list, info, strategy, progress, on_prediction):
    """The confusion matrix: on all devices, or one image at a time for CRF and logits."""
    if FLAGS.crf or FLAGS.save_logits:
        if strategy.num_replicas_in_sync > 1:
            raise TfsegError("--crf and --save_logits take --strategy=one_device")
        return evaluate_refined(
            predictor,
            Truth(image_list, predictor.spec.num_classes, info.label_map, info.ignore_label),
            predictor.crf,
            jobs=FLAGS.jobs,
            logits_dir=FLAGS.save_logits,
            progress=progress,
            on_prediction=on_prediction,
        )
    evaluator = Evaluator(
        predictor.model,
        predictor.spec.preprocessing,
        protocol=predictor.protocol,
        ignore_label=info.ignore_label,
        label_map=info.label_map,
        batch_size=FLAGS.batch_size,
        strategy=strategy,
    )
    return evaluator(image_list, progress, on_prediction)


def _compare_names(model, data):
    """Warns where the model and the data folder don't mean the same by a class."""
    for index, names in enumerate(zip(model or (), data or (), strict=False)):
        if len(set(names)) > 1:
            logging.warning(
                "class %d is '%s' to the model and '%s' in %s/info.json: are these the same?",
                *(index, *names, FLAGS.data_dir),
            )
            return


def _absolute(weights):
    # Several files, and releases of the zoo, have no one path.
    return os.path.abspath(weights) if os.path.exists(weights) else weights


if __name__ == "__main__":
    common.run(main)
