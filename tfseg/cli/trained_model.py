"""The flags that name a trained model, for the verbs that use one."""

import typing

from tfseg.cli import shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given
from tfseg.errors import TfsegError
from tfseg.models import PRECISIONS, PREPROCESSINGS

if typing.TYPE_CHECKING:
    from tfseg.workflows import TrainedModel

# What most people need of these flags.
GROUP = "run_dir weights model num_classes precision"


# What the flags of `define` need.
NEEDS = {
    name: Need("--weights=FILE", given("weights"))
    for name in ("model", "num_classes", "model_option", "preprocessing")
}


def define(flags: Flags) -> None:
    """Defines --run_dir, and --weights with --model, --num_classes and --model_option."""
    flags.string("run_dir", None, "Run directory of a training: its best weights are used.")
    flags.string(
        "weights",
        None,
        "Instead of --run_dir: weights of --model with --num_classes, as a file or files with "
        "commas between; or what says itself what it is: a release of the zoo, a .weights.h5, a "
        "checkpoint in a run directory.",
    )
    flags.string("model", None, "Model that --weights belong to.")
    flags.integer(
        "num_classes", 0, "Classes that --weights tell apart; 0 for as many as info.json names."
    )
    shared.define_model_option(flags)
    flags.choice(
        "preprocessing",
        "auto",
        ["auto", "data", *PREPROCESSINGS],
        "Normalisation for --weights with --model: what they expect if they say so, else "
        "info.json's (auto), info.json's (data), or a published one.",
    )
    flags.choice("precision", "float32", PRECISIONS, "Arithmetic of the network.")


def named_by(flags: Flags) -> tuple[str, list[str]]:
    """The run directory or weights, and the flags that name the model, for another call.

    With --weights, --data_dir is one of them: its info.json may say what the model needs.
    """
    names = [*GROUP.split(), "model_option", "preprocessing"]
    lines = [flags[name].serialize() for name in names if flags[name].present]
    if flags.weights and flags["data_dir"].present:
        lines.append(flags["data_dir"].serialize())
    return flags.run_dir or flags.weights, [one for line in lines for one in line.splitlines()]


def read(flags: Flags) -> "TrainedModel":
    """The `TrainedModel` that the flags name, its weights downloaded if they are a release.

    Raises:
        TfsegError: flags that contradict each other, or a missing one.
    """
    from tfseg import workflows

    if flags.run_dir and (flags.weights or flags.model):
        raise TfsegError("give --run_dir, or --weights with --model, not both")
    if not flags.run_dir and not flags.weights:
        raise TfsegError("give --run_dir, or --weights with --model and --num_classes")
    if flags.weights:
        shared.fetch(flags.weights)
    return workflows.TrainedModel(
        flags.run_dir or flags.weights,
        model=flags.model,
        num_classes=flags.num_classes,
        model_options=shared.parse_options(flags.model_option),
        data_dir=flags.data_dir,
        preprocessing=flags.preprocessing,
        precision=flags.precision,
    )
