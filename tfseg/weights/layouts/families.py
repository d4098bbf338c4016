"""Which layouts of the original code bases may fit a model."""

from tfseg.encoders import ENCODERS
from tfseg.weights.layouts import caffe, pytorch, tensorflow1
from tfseg.weights.layouts.layout import OwnLayout


def family(row, blocks, decoder=None, multi_scale=False):
    """The foreign layouts of a kind of encoder.

    Args:
        row: its row in `ENCODERS`.
        blocks: a ResNet's blocks per stage.
        decoder: class name of the decoder above it, or None.
        multi_scale: whether both are in the multi-scale wrapper.
    """
    if row.style in pytorch.DRN_NAMES:
        return pytorch.drn(row.style)
    if row.style == "ade20k":
        return pytorch.ade20k(decoder)
    if row.style == "torchvision":
        return pytorch.torchvision(decoder)
    if row.style != "caffe":
        return []
    # A network's depth counts the convolutions on its main path and the classifier.
    depth = 2 + sum(row.blocks) * (3 if row.block == "bottleneck" else 2)
    return [
        # The wrapper's own names first: a model goes home in the first that fit.
        *(pytorch.deeplab(name, decoder) for name in sorted(("", "base."), reverse=multi_scale)),
        *tensorflow1.layouts(depth, blocks),
        *caffe.layouts(),
    ]


def layouts(model):
    """The layouts that may fit `model`, the own one first."""
    encoder = getattr(model, "encoder", model)
    decoder = type(getattr(model, "decoder", None)).__name__
    row = ENCODERS.get(getattr(encoder, "variant", None))
    if row is None:
        return [OwnLayout()]
    multi_scale = getattr(model, "scales", None) is not None
    return [OwnLayout(), *family(row, encoder.get_config().get("blocks"), decoder, multi_scale)]
