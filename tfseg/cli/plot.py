"""Plots loss, learning rate and validation score of one or several runs.

    tfseg plot --output=curves.png runs/a runs/b

The output is a PNG or an SVG, as its name ends.
"""

from tfseg.errors import TfsegError

PATHS = "RUN…"
GROUPS = {"Files": "output"}


def define(flags):
    flags.string("output", None, "File to write: *.png or *.svg.")


def main(flags, run_dirs):
    flags.require("output")
    if not run_dirs:
        raise TfsegError("no run given: add the directories of runs to the command")
    from tfseg.reports.charts import plot_training

    plot_training(run_dirs, flags.output)
    print(f"written to {flags.output}")
