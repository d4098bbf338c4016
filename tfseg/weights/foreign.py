"""Whose weights these are: libraries that tfseg has no layouts of whole models for, by their names.

A row's encoder, where it has one, is a ResNet in torchvision's names behind a prefix: it can be
taken by itself, with a new head.
"""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Library:
    """A library whose models are recognised.

    Attributes:
        name: as its makers write it.
        marks: expressions, each of which some name in its files matches.
        prefix: of the encoder's names, or None where no encoder of ours has their shapes.
        head: expression over the names of all that isn't the encoder.
        why: what to say where nothing fits.
    """

    name: str
    marks: tuple
    prefix: str | None = None
    head: str = r"^$"
    why: str = "no encoder here has its layers"


LIBRARIES = (
    Library(
        "MMSegmentation",
        (r"^(decode_head|auxiliary_head)\.(\d\.)?(conv_seg|cls_seg|loss)", r"^backbone\."),
        "backbone.",
        r"^(decode_head|auxiliary_head|neck|data_preprocessor)\.",
        "its backbones (such as ResNetV1c, with three convolutions in the stem) have other shapes "
        "than the encoders here",
    ),
    Library(
        "Hugging Face transformers",
        (
            r"^((model\.)?(backbone|encoder|pixel_level_module)\.)?embedder\.embedder\.convolution"
            r"|^backbone\.(embedder|encoder\.stages|hidden_states_norms)\."
            r"|^(segformer|mobilevit|mobilenet_v2|beit|data2vec_vision|dpt|vit|resnet|swin)\."
            r"|^model\.(pixel_level_module|transformer_module)\.",
        ),
        why="its encoders name and order their layers in ways of their own",
    ),
    Library(
        "torchvision",
        (r"^backbone\.(conv1|layer4|features|\d+)\.", r"^classifier\.\d"),
        "backbone.",
        r"^(classifier|aux_classifier)\.",
    ),
    Library(
        "segmentation_models_pytorch",
        (r"^encoder\.", r"^segmentation_head\."),
        "encoder.",
        r"^(decoder|segmentation_head|classification_head)\.",
    ),
    Library(
        "timm",
        (r"^(patch_embed|blocks\.0|stages\.0|conv_stem|stem\.\d)\b",),
        why="no encoder here is of its kind",
    ),
)


def library_of(names):
    """The `Library` whose marks the names have, or None."""
    for library in LIBRARIES:
        if all(any(re.search(mark, name) for name in names) for mark in library.marks):
            return library
    return None
