"""Plots loss, learning rate and validation score of one or several runs.

    tfseg plot --output=curves.png runs/a runs/b

The output is a PNG or an SVG, as its name ends.
"""

from tfseg.cli.flags import Flags
from tfseg.errors import TfsegError

PATHS = "RUN…"
GROUPS = {"Files": "output"}


def define(flags: Flags) -> None:
    flags.string("output", None, "File to write: *.png or *.svg.")


def main(flags: Flags, run_dirs: list[str]) -> None:
    flags.require("output")
    if not run_dirs:
        raise TfsegError("no run given: add the directories of runs to the command")
    from tfseg.reports.charts import plot_training

    plot_training(run_dirs, flags.output)
    print(f"written to {flags.output}")
