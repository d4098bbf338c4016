"""Plots loss, learning rate and validation score of one or several runs.

    python tools/plot_training.py --output=curves.png runs/a runs/b

The output is a PNG or an SVG, as its name ends.
"""

import common
from absl import flags

from tfseg.errors import TfsegError
from tfseg.reports.charts import plot_training

FLAGS = flags.FLAGS

flags.DEFINE_string("output", None, "File to write: *.png or *.svg.")


def main(run_dirs):
    common.require("output")
    if not run_dirs:
        raise TfsegError("no run given: add the directories of runs to the command")
    plot_training(run_dirs, FLAGS.output)
    print(f"written to {FLAGS.output}")


if __name__ == "__main__":
    common.run(main, paths=True)
