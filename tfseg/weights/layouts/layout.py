"""How checkpoints name what our variables hold: one layout per way of saving a model.

A layout is a list of rules from our variables' paths to original names. A rule is a regular
expression over the path without its last part, and a template of the original layer's name, where
``{block}`` is the group of that name, and ``{block-1}`` and ``{3*conv-2}`` do arithmetic on it.
"""

import dataclasses
import re

from tfseg.layers.dilated import FILTER_WEIGHTS
from tfseg.models.preprocessing import Preprocessing

BLOCK = r"encoder/stage(?P<stage>\d+)_block(?P<block>\d+)"

PYTORCH_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
PYTORCH_COUNTERS = (r"num_batches_tracked$", "a counter that nothing depends on")


def is_head(path):
    """Whether the variable at `path` belongs to the head."""
    return path.startswith(("decoder/", "classifier/"))


def is_first(path):
    """Whether the variable at `path` is the kernel that sees the image."""
    return re.fullmatch(r"encoder/stem1?/conv/kernel", path) is not None


def is_filter(path):
    """Whether the variable at `path` belongs to the filter of a smoothed convolution."""
    return path.rpartition("/")[2] in FILTER_WEIGHTS


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way in which the checkpoints of a family are laid out.

    Attributes:
        name: what reports call it.
        rules: (expression over our layer's path, template of the original layer's name) pairs.
        skip: (expression over original names, reason) pairs for entries we have no use for.
        leaves: {last part of our path: last part of the original name}.
        separator: what stands between the parts of an original name.
        variables: (expression over our variable's whole path, template of its original name) pairs
            for variables that are not named after their layer.
        arrays: {last part of our path: function from the original array to ours}.
        kernels: axis order of convolution kernels, "OIHW" (PyTorch, Caffe) or "HWIO".
        head: expression over the original names of the head, which a new head may replace.
        preprocessing: `Preprocessing` that all weights of this layout were trained with, or None
            where it depends on the data set.
        linear: expression over the original names of 1x1 convolutions that are matrices there.
        extras: functions from {original name: array} to entries that the original has besides.
    """

    name: str
    rules: tuple
    skip: tuple = (PYTORCH_COUNTERS,)
    leaves: dict = dataclasses.field(default_factory=lambda: PYTORCH_LEAVES)
    kernels: str = "OIHW"
    head: str = r"^$"
    separator: str = "."
    variables: tuple = ()
    arrays: dict = dataclasses.field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    linear: str = r"^$"
    extras: tuple = ()

    def original(self, path):
        """The original name of the variable at `path`, or None where the layout has none."""
        for expression, template in self.variables:
            if match := re.fullmatch(expression, path):
                return _fill(template, match.groupdict())
        layer, _, leaf = path.rpartition("/")
        for expression, template in self.rules:
            match = re.fullmatch(expression, layer)
            if match and leaf in self.leaves:
                layer = _fill(template, match.groupdict())
                return f"{layer}{self.separator}{self.leaves[leaf]}"
        return None

    def skip_reason(self, name):
        """Why the original entry `name` is left out, or None if it must be used."""
        return next((reason for pattern, reason in self.skip if re.search(pattern, name)), None)


class OwnLayout(Layout):
    """Our own files: entries are named by our variables' paths."""

    def __init__(self):
        super().__init__("tfseg", (), (), kernels="HWIO", head="^(decoder|classifier)/")

    def original(self, path):
        return path


def _fill(template, groups):
    def value(match):
        factor, name, shift = match.groups()
        if not factor and not shift:
            return groups[name]
        return str(int(factor or 1) * int(groups[name]) + int(shift or 0))

    return re.sub(r"\{(?:(\d+)\*)?(\w+)([+-]\d+)?\}", value, template)
