"""The table of encoders: what there is, and what each is made of."""

import dataclasses
from collections.abc import Collection
from typing import Any

from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderRow(Row):
    """One encoder.

    Attributes:
        code: "module:object" of a class or function that takes the row's name and
            `create_encoder`'s `blocks`, `output_stride` and `multi_grid` where they are given,
            `conv` (dict of `ConvBN` arguments) and `smoothing` (dict of `Smoothing` arguments), and
            gives an `Encoder`, or any Keras model from images of any size to a dict of features.
        style: whose network it is: "drn_a", "drn_c", "drn_d", "ade20k", "torchvision", "caffe",
            "regseg". The names in its released weights follow from it. None for Keras Applications.
        block: "basic", "bottleneck" or "two_branch".
        blocks: blocks per stage.
        groups, width: of a bottleneck's 3x3 convolution: its groups, and the channels of each in
            the first stage; of "two_branch", the channels of each group.
        output_stride: of the features, unless asked otherwise.
        strided: whether it gives up stride for dilation where a decoder asks for it.
        application: its name in `keras.applications`.
        arguments: of that function, which leaves its preprocessing out.
        preprocessing: what its ImageNet weights expect, a name of `PREPROCESSINGS`.
    """

    style: str = ""
    block: str = ""
    blocks: tuple[int, ...] = ()
    groups: int = 1
    width: int = 64
    output_stride: int = 32
    strided: bool = False
    application: str = ""
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    preprocessing: str = "imagenet"


ENCODERS: Table[EncoderRow] = Table("encoder")


def of_styles(styles: Collection[str]) -> list[str]:
    """The names of the encoders in one of these styles."""
    return [row.name for row in ENCODERS.values() if row.style in styles]


# Parameters and scores stand in docs/models.md.
_DRN: dict[str, Any] = {"code": "tfseg.encoders.drn:DRN", "output_stride": 8}
for _name, _block, _blocks in (
    ("drn_a_18", "basic", (2, 2, 2, 2)),
    ("drn_a_34", "basic", (3, 4, 6, 3)),
    ("drn_a_50", "bottleneck", (3, 4, 6, 3)),
    ("drn_c_26", "basic", (1, 1, 2, 2, 2, 2, 1, 1)),
    ("drn_c_42", "basic", (1, 1, 3, 4, 6, 3, 1, 1)),
    ("drn_c_58", "bottleneck", (1, 1, 3, 4, 6, 3, 1, 1)),
    ("drn_d_22", "basic", (1, 1, 2, 2, 2, 2, 1, 1)),
    ("drn_d_24", "basic", (1, 1, 2, 2, 2, 2, 2, 2)),
    ("drn_d_38", "basic", (1, 1, 3, 4, 6, 3, 1, 1)),
    ("drn_d_40", "basic", (1, 1, 3, 4, 6, 3, 2, 2)),
    ("drn_d_54", "bottleneck", (1, 1, 3, 4, 6, 3, 1, 1)),
    ("drn_d_56", "bottleneck", (1, 1, 3, 4, 6, 3, 2, 2)),
    ("drn_d_105", "bottleneck", (1, 1, 3, 4, 23, 3, 1, 1)),
    ("drn_d_107", "bottleneck", (1, 1, 3, 4, 23, 3, 2, 2)),
):
    _row = EncoderRow(name=_name, style=_name[:5], block=_block, blocks=_blocks, **_DRN)
    ENCODERS.register(_row)

# Each of these networks in each code base's style: (suffix of the name, facts).
_RESNET = "tfseg.encoders.resnet:ResNet"
_STYLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {"style": "ade20k", "strided": True}),
    ("_dilated8", {"style": "ade20k", "output_stride": 8}),
    ("_dilated16", {"style": "ade20k", "output_stride": 16}),
    ("_v1", {"style": "torchvision", "strided": True}),
    ("_caffe", {"style": "caffe", "strided": True}),
)
for _name, _block, _blocks in (
    ("resnet18", "basic", (2, 2, 2, 2)),
    ("resnet34", "basic", (3, 4, 6, 3)),
    ("resnet50", "bottleneck", (3, 4, 6, 3)),
    ("resnet101", "bottleneck", (3, 4, 23, 3)),
    ("resnet152", "bottleneck", (3, 8, 36, 3)),
):
    for _suffix, _facts in _STYLES:
        ENCODERS.register(
            EncoderRow(name=_name + _suffix, code=_RESNET, block=_block, blocks=_blocks, **_facts)
        )

# torchvision's own: Xie et al., "Aggregated Residual Transformations for Deep Neural Networks",
# CVPR 2017; Zagoruyko, Komodakis, "Wide Residual Networks", BMVC 2016.
for _name, _blocks, _groups, _width in (
    ("resnext50_32x4d_v1", (3, 4, 6, 3), 32, 4),
    ("resnext101_32x8d_v1", (3, 4, 23, 3), 32, 8),
    ("wide_resnet50_v1", (3, 4, 6, 3), 1, 128),
):
    _row = EncoderRow(
        name=_name,
        code=_RESNET,
        style="torchvision",
        block="bottleneck",
        blocks=_blocks,
        groups=_groups,
        width=_width,
        strided=True,
    )
    ENCODERS.register(_row)

# Gao, "Rethinking Dilated Convolution for Real-time Semantic Segmentation", 2021.
ENCODERS.register(
    EncoderRow(
        name="regseg",
        code="tfseg.encoders.regseg:RegSeg",
        style="regseg",
        block="two_branch",
        blocks=(1, 3, 13, 1),
        width=16,
        output_stride=16,
    )
)

# Keras Applications. What its functions put before the network is a `Preprocessing` here.
_WITHOUT_PREPROCESSING: dict[str, Any] = {"arguments": {"include_preprocessing": False}}
for _name, _application, _preprocessing, _facts in (
    # Tan, Le, "EfficientNetV2", ICML 2021.
    ("efficientnetv2b0", "EfficientNetV2B0", "imagenet", _WITHOUT_PREPROCESSING),
    ("efficientnetv2s", "EfficientNetV2S", "efficientnetv2", _WITHOUT_PREPROCESSING),
    # Liu et al., "A ConvNet for the 2020s", CVPR 2022.
    ("convnext_tiny", "ConvNeXtTiny", "imagenet", _WITHOUT_PREPROCESSING),
    ("convnext_base", "ConvNeXtBase", "imagenet", _WITHOUT_PREPROCESSING),
    # Howard et al., "Searching for MobileNetV3", ICCV 2019.
    ("mobilenetv3large", "MobileNetV3Large", "tf", _WITHOUT_PREPROCESSING),
    ("mobilenetv3small", "MobileNetV3Small", "tf", _WITHOUT_PREPROCESSING),
    # Sandler et al., "MobileNetV2", CVPR 2018.
    ("mobilenetv2", "MobileNetV2", "tf", {}),
    # Chollet, "Xception", CVPR 2017.
    ("xception", "Xception", "tf", {}),
    # Huang et al., "Densely Connected Convolutional Networks", CVPR 2017.
    ("densenet121", "DenseNet121", "imagenet", {}),
    # He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    ("resnet50v2", "ResNet50V2", "tf", {}),
    ("resnet101v2", "ResNet101V2", "tf", {}),
):
    ENCODERS.register(
        EncoderRow(
            name=_name,
            code="tfseg.encoders.applications:ApplicationEncoder",
            strided=True,
            application=_application,
            preprocessing=_preprocessing,
            **_facts,
        )
    )
