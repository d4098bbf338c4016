"""Converts weights: foreign files to a .weights.h5 of ours, or ours back to the original names.

    tfseg convert --model=drn_d_22 --num_classes=19 --output=drn.weights.h5 drn_cityscapes.pth
    tfseg convert --model=drn_d_22 --num_classes=19 --output=drn.safetensors runs/mine

Takes whatever --init_weights of `tfseg train` takes; several files that together hold the model,
such as an encoder's and a decoder's, one after the other. Prints what was loaded, what was left out
and why. The .weights.h5 keeps the preprocessing that the weights expect; the .safetensors is what
PyTorch's load_state_dict of the original code takes.
"""

from tfseg import workflows
from tfseg.cli import shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need
from tfseg.errors import TfsegError

PATHS = "WEIGHTS…"
GROUPS = {
    "Model": "model num_classes model_option classifier",
    "Files": "output layout new_head json",
}


NEEDS = {
    "layout": Need(
        "--output=FILE.safetensors", lambda flags: (flags.output or "").endswith(".safetensors")
    ),
}


def define(flags: Flags) -> None:
    flags.string("model", None, "Model that the weights belong to.")
    flags.integer("num_classes", 0, "How many classes it tells apart.")
    flags.boolean("classifier", False, "Whether it is an image classifier, not a segmenter.")
    flags.boolean("new_head", False, "Leave the head fresh where the weights don't fit it.")
    flags.string("output", None, "File to write: *.weights.h5 or *.safetensors.")
    flags.string("layout", None, "For .safetensors: whose names; default the first that fits.")
    shared.define_model_option(flags)
    flags.report()


def main(flags: Flags, sources: list[str]) -> None:
    flags.require("model", "num_classes", "output")
    if not sources:
        raise TfsegError("no weights given: add a file, a run directory or a release's name")
    for source in sources:
        shared.fetch(source)
    report = workflows.convert(
        sources,
        flags.output,
        flags.model,
        flags.num_classes,
        shared.parse_options(flags.model_option),
        classifier=flags.classifier,
        new_head=flags.new_head,
        layout=flags.layout,
    )
    print(report)
    flags.found = {"output": flags.output, **vars(report)}
    print(f"written to {flags.output}")
