"""Draws a small data set, trains DRN-D-22 on it, evaluates and predicts: all of it in one folder.

    tfseg demo
    tfseg demo --output_dir=/tmp/demo

It takes some minutes on two CPU cores. Run again, it continues an interrupted training.
"""

import os
import shlex

from tfseg import runs
from tfseg.cli import next_step
from tfseg.cli.command import main as call
from tfseg.cli.flags import Flags

GROUPS = {"Files": "output_dir"}

RESULTS = """
Done. What there is now:
  {0}/data                   images, label maps, lists and info.json: the format of your own data
  {0}/predictions/overlay    the predicted classes laid over the images: look here first
  {0}/predictions/color      the same as plain colour maps; labels/ has the class indices
  {0}/run/eval/val           report.html: the scores as a page; metrics.json: with their protocol
  {0}/run/best.weights.h5    the best weights; model.json beside it rebuilds the model
  {0}/run/log.csv            loss, learning rate and scores over the steps

Next:
  tensorboard --logdir {2}     the same as curves and pictures
  {1}
      a folder of your own images and label maps becomes a trained network"""


def define(flags: Flags) -> None:
    flags.string("output_dir", "demo", "Folder for everything.")


def main(flags: Flags) -> int | None:
    folder = flags.output_dir
    data, run = os.path.join(folder, "data"), os.path.join(folder, "run")
    steps = {
        "Drawing a small data set of street scenes": [
            *("prepare", "--dataset=sample", f"--data_dir={data}"),
        ],
        "Training DRN-D-22 (a few minutes on two CPU cores)": [
            *("train", "--recipe=sample/drn_d_22", f"--data_dir={data}", f"--run_dir={run}"),
        ],
        "Evaluating on the validation images": [
            *("evaluate", f"--run_dir={run}", f"--data_dir={data}"),
        ],
        "Predicting the validation images": [
            *("predict", f"--run_dir={run}"),
            *(f"--output_dir={folder}/predictions", os.path.join(data, "val_images.txt")),
        ],
    }
    for number, (title, arguments) in enumerate(steps.items(), 1):
        print(f"\n== {number}/{len(steps)} {title}", flush=True)
        if code := call(arguments):
            return code
    own = next_step.command("train", "--source=FOLDER", "--run_dir=runs/own", "--minutes=30")
    print(RESULTS.format(folder, own, shlex.quote(os.path.join(run, runs.BOARD))))
    return 0
