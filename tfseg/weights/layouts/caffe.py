"""The layouts of the DeepLab authors' Caffe networks, all of them ResNet-101.

A batch norm is two layers there, its statistics ("bn") and its scale and shift ("scale").
"""

from tfseg.models.preprocessing import PREPROCESSINGS
from tfseg.weights.layouts.layout import Layout

# our variables of a unit: template of the original entry, without and with the unit's name
_ENTRIES = {
    "conv/kernel": ("conv1/0", "res{unit}/0"),
    "bn/moving_mean": ("bn_conv1/0", "bn{unit}/0"),
    "bn/moving_variance": ("bn_conv1/1", "bn{unit}/1"),
    "bn/gamma": ("scale_conv1/0", "scale{unit}/0"),
    "bn/beta": ("scale_conv1/1", "scale{unit}/1"),
}

# The networks look at each image three times with the same weights, and store them three times.
_SKIP = ((r"res0?75|res05", "the same weights again, for another scale"),)


def units():
    """(expression over our unit's path, template of the original name) of the residual units.

    The blocks of a stage have letters, or in the long stages numbers from the second on.
    """
    letters = [("1", "a"), ("2", "b"), ("3", "c")]
    numbers = [("1", "a"), (r"(?P<block>\d+)", "b{block-1}")]
    branches = {"conv1": "2a", "conv2": "2b", "conv3": "2c", "projection": "1"}
    return tuple(
        (rf"encoder/stage{stage}_block{block}/{ours}", f"{stage + 1}{name}_branch{branch}")
        for stage, names in enumerate((letters, numbers, numbers, letters), 1)
        for block, name in names
        for ours, branch in branches.items()
    )


def layouts():
    """The network fine-tuned on VOC 2012 (four branches), and the initial one, from COCO."""
    encoder = [(f"encoder/stem/{ours}", stem) for ours, (stem, _) in _ENTRIES.items()] + [
        (f"{unit}/{ours}", template.replace("{unit}", name))
        for unit, name in units()
        for ours, (_, template) in _ENTRIES.items()
    ]
    branch, classifier = r"decoder/branch(?P<n>\d)", "decoder/classifier"
    heads = {
        "Caffe DeepLab v2": ((branch, "fc1_voc12_c{n-1}"),),
        "Caffe DeepLab v1": ((classifier, "fc1_coco"),),
    }
    return [
        Layout(
            name,
            (),
            _SKIP,
            head="^fc1_",
            variables=(
                *encoder,
                *(
                    (f"{ours}/{leaf}", f"{theirs}/{number}")
                    for ours, theirs in head
                    for number, leaf in enumerate(("kernel", "bias"))
                ),
            ),
            preprocessing=PREPROCESSINGS["caffe"],
        )
        for name, head in heads.items()
    ]
