"""How checkpoints name what our variables hold: one layout per way of saving a model.

A layout is a list of rules from our variables' paths to original names. A rule is a regular
expression over the path without its last part, and a template of the original layer's name:
``{block}`` stands for the group of that name, ``{block-1}`` and ``{3*conv-2}`` for arithmetic on it.
"""

import dataclasses
import re

PYTORCH_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
PYTORCH_COUNTERS = (r"num_batches_tracked$", "a counter that nothing depends on")


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way in which the checkpoints of a family are laid out.

    Attributes:
        name: what reports call it.
        rules: (expression over our layer's path, template of the original layer's name) pairs.
        skip: (expression over original names, reason) pairs for entries we have no use for.
        leaves: {last part of our path: last part of the original name}.
        kernels: axis order of convolution kernels, "OIHW" (PyTorch, Caffe) or "HWIO".
        head: expression over the original names of the head, which a new head may replace.
    """

    name: str
    rules: tuple
    skip: tuple = (PYTORCH_COUNTERS,)
    leaves: dict = dataclasses.field(default_factory=lambda: PYTORCH_LEAVES)
    kernels: str = "OIHW"
    head: str = r"^$"

    def original(self, path):
        """The original name of the variable at `path`, or None where the layout has none."""
        layer, _, leaf = path.rpartition("/")
        for expression, template in self.rules:
            match = re.fullmatch(expression, layer)
            if match and leaf in self.leaves:
                return f"{_fill(template, match.groupdict())}.{self.leaves[leaf]}"
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


def residual_rules(stage):
    """Rules of torchvision's residual blocks; `stage` is the template of a stage's name."""
    block = r"encoder/stage(?P<stage>\d+)_block(?P<block>\d+)"
    prefix = f"{stage}.{{block-1}}"
    return (
        (rf"{block}/conv(?P<conv>\d)/conv", f"{prefix}.conv{{conv}}"),
        (rf"{block}/conv(?P<conv>\d)/bn", f"{prefix}.bn{{conv}}"),
        (rf"{block}/projection/conv", f"{prefix}.downsample.0"),
        (rf"{block}/projection/bn", f"{prefix}.downsample.1"),
    )


def _drn_encoder(stem, stage):
    conv = r"encoder/stage(?P<stage>\d+)_conv(?P<conv>\d+)"
    return (
        ("encoder/stem/conv", stem[0]),
        ("encoder/stem/bn", stem[1]),
        (rf"{conv}/conv", f"{stage}.{{3*conv-3}}"),
        (rf"{conv}/bn", f"{stage}.{{3*conv-2}}"),
        *residual_rules(stage),
    )


_DRN_SKIP = (
    PYTORCH_COUNTERS,
    (r"^up\.weight$", "the fixed bilinear upsampling"),
    # DRN-C's last levels add nothing, but the code makes their projections all the same.
    (r"^(layer[78]|base\.(9|10))\.0\.downsample\.", "a projection that is never applied"),
)

# architecture: the original names of stem and stages. A segmenter holds the classifier's children
# in one nn.Sequential, where A has conv, bn, relu, pool before its first stage, C has conv, bn,
# relu, and D keeps its stem in a stage 0.
_DRN_NAMES = {
    "A": ((("conv1", "bn1"), "layer{stage}"), (("base.0", "base.1"), "base.{stage+3}")),
    "C": ((("conv1", "bn1"), "layer{stage}"), (("base.0", "base.1"), "base.{stage+2}")),
    "D": ((("layer0.0", "layer0.1"), "layer{stage}"), (("base.0.0", "base.0.1"), "base.{stage}")),
}


def drn_layouts(architecture):
    """The layouts of fyu/drn: the segmenter's (drn segment.py) and the classifier's (drn.py)."""
    classifier, segmenter = _DRN_NAMES[architecture]
    return [
        Layout(
            "DRN segmenter",
            (*_drn_encoder(*segmenter), ("decoder/classifier", "seg")),
            _DRN_SKIP,
            head=r"^seg\.",
        ),
        Layout(
            "DRN classifier",
            (*_drn_encoder(*classifier), ("classifier", "fc")),
            _DRN_SKIP,
            head=r"^fc\.",
        ),
    ]


def layouts(model):
    """The layouts that may fit `model`, the own one first."""
    encoder = getattr(model, "encoder", model)
    return [OwnLayout(), *drn_layouts(encoder.architecture)]
