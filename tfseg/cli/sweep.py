"""Trains a recipe in several variants, from several seeds, and compares them.

    tfseg sweep camvid/drn_a_18 --data_dir=data/camvid --output_dir=runs/smoothing --seeds=0,1,2 \\
        --set=regular --set="mean --model_option=dilated_type=average_filter" -- --epochs=8

A variant is a name and flags of `tfseg train`; what stands after -- goes to every training. The
others are compared with the first: mean and spread over the seeds, and paired intervals over the
validation images. Runs are resumed and never trained twice: the same command goes on, and one with
more variants or seeds adds them. Writes a run directory for each, comparison.json and
comparison.html.
"""

import shlex
import signal
import sys
import typing
from typing import NoReturn

from tfseg import workflows
from tfseg.cli import command
from tfseg.cli.flags import Flags
from tfseg.errors import TfsegError
from tfseg.words import counted

if typing.TYPE_CHECKING:
    from tfseg.workflows.sweeping import Run

PATHS = "[RECIPE] [-- FLAG…]"
GROUPS = {"Study": "data_dir set seeds jobs", "Results": "output_dir json"}


def define(flags: Flags) -> None:
    flags.string("data_dir", None, "Folder with the image lists and info.json.")
    flags.multi("set", [], "A variant: its name, and its flags for `tfseg train`; repeated.")
    flags.several("seeds", ["0"], "Seeds, with commas between.")
    flags.integer("jobs", 1, "Trainings at a time.", 1)
    flags.string("output_dir", None, "The study's folder.")
    flags.report()


def main(flags: Flags, paths: list[str]) -> None:
    from tfseg.reports import comparison

    flags.require("data_dir", "output_dir", "set")
    recipes = [f"--recipe={paths.pop(0)}"] if paths and not paths[0].startswith("-") else []
    if wrong := [one for one in paths if not one.startswith("--")]:
        raise TfsegError(f"unexpected argument '{wrong[0]}': flags for all runs come behind --")
    variants = [_variant(text) for text in flags.set]
    common = [*recipes, f"--data_dir={flags.data_dir}", *paths]
    study = workflows.plan_study(flags.output_dir, variants, _seeds(flags.seeds), common)
    _check(study)
    signal.signal(signal.SIGTERM, _stop)
    found = workflows.sweep(study, flags.output_dir, flags.jobs)
    flags.found = found
    if found["comparison"]:
        print(comparison.table(found["comparison"]) + "\n")
    for row in found["runs"]:
        print(f"{row['mean_iou']:.4f} mean IoU: {row['variant']}, seed {row['seed']}")
    page = f", {flags.output_dir}/comparison.html" if found["comparison"] else ""
    print(f"written: {counted(len(study), 'run')} in {flags.output_dir}{page}")


def _variant(text: str) -> "workflows.Variant":
    try:
        name, *own = shlex.split(text)
    except ValueError as error:
        raise TfsegError(f"--set={text}: a name and flags are missing, or a quote") from error
    if wrong := [one for one in own if not one.startswith("--")]:
        raise TfsegError(f"--set={text}: '{wrong[0]}' is no flag; flags are --name=value")
    return workflows.Variant(name, tuple(own))


def _seeds(texts: list[str]) -> list[int]:
    try:
        return [int(text) for text in texts]
    except ValueError as error:
        raise TfsegError(f"--seeds are whole numbers, not {','.join(texts)}") from error


def _check(study: "list[Run]") -> None:
    """Refuses now what a training would refuse when its turn comes, after hours perhaps.

    Raises:
        TfsegError: of a training's arguments, or two variants that no comparison could tell apart.
    """
    variants: dict[str, str] = {}
    for run in study:
        try:
            settings = _settings(run)
        except TfsegError as error:
            raise TfsegError(f"{run.title}: {error}") from error
        other = variants.setdefault(settings, run.variant)
        if other != run.variant:
            raise TfsegError(f"the variants {other} and {run.variant} come to the same settings")


def _settings(run: "Run") -> str:
    """What a training is told, but for its folder."""
    from tfseg.cli import shared
    from tfseg.models.table import resolve
    from tfseg.training.config import TrainConfig

    flags = command.read("train", [*run.flags, "--run_dir=run"])
    if flags.source:
        # What is proposed for it depends on its images.
        return "\n".join(run.flags)
    with command.spelt(flags):
        config = shared.read_config(flags, TrainConfig)
        resolve(config.model)
        return config.to_flags()


def _stop(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)
