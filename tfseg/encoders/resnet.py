"""ResNets at output stride 8, 16 or 32, in the three published styles.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1. Trading stride for
dilation: Chen et al., "DeepLab", TPAMI 2018, section 3.1; multi-grid: Chen et al., "Rethinking
Atrous Convolution for Semantic Image Segmentation", 2017, section 3.2.1; hybrid dilated
convolution: Wang et al., "Understanding Convolution for Semantic Segmentation", WACV 2018,
section 3.2.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from tfseg.checks import are_whole
from tfseg.encoders.encoder import Encoder, Stage, Stem, check_blocks
from tfseg.encoders.table import ENCODERS, EncoderRow, of_styles
from tfseg.errors import TfsegError, unknown

# output stride: (strides, dilation rates) of the four stages
STRIDES = {
    8: ((1, 2, 1, 1), (1, 1, 2, 4)),
    16: ((1, 2, 2, 1), (1, 1, 1, 2)),
    32: ((1, 2, 2, 2), (1, 1, 1, 1)),
}

FILTERS = (64, 128, 256, 512)
DILATION_SCHEMES = ("uniform", "hdc")


@dataclasses.dataclass(frozen=True)
class Style:
    """What distinguishes one code base's ResNets from another's.

    Attributes:
        stem: rows of (filters, kernel_size, strides).
        pool: padding of the stem's pooling.
        stride_on: "3x3" or "1x1", the convolution of a bottleneck that strides.
        halve_first: whether the block that gave up its stride keeps half the dilation rate where
            it used to stride, which makes the stage a denser version of the strided one.
    """

    stem: tuple
    pool: str
    stride_on: str
    halve_first: bool


STYLES = {
    "ade20k": Style(((64, 3, 2), (64, 3, 1), (128, 3, 1)), "symmetric", "3x3", True),
    "torchvision": Style(((64, 7, 2),), "symmetric", "3x3", True),
    "caffe": Style(((64, 7, 2),), "ceil", "1x1", False),
}


@keras.saving.register_keras_serializable("tfseg")
class ResNet(Encoder):
    """A residual network without its classifier.

    Args:
        variant: name of a row of `ENCODERS`.
        output_stride: 8, 16 or 32; default the row's.
        multi_grid: factors of the last stage's dilation rate, one per block, or None.
        blocks: blocks per stage in place of the published ones.
        dilation_scheme: "uniform", or "hdc": a stage's 3x3 convolutions at rate r have r - 1, r and
            r + 1 in turn, and r where fewer than three are left (the paper's Dilation-RF).
        conv: dict of further `ConvBN` arguments (padding, batch_norm). With "same" padding the
            stem's pooling is TensorFlow's, too.
        smoothing: dict of `Smoothing`'s arguments.
        channels: of the images.

    Input [N, H, W, C], output {"stage1": [N, H / 4, W / 4, c], ..., "stage4": [N, H / s, W / s, c]}
    with s the output stride and sizes rounded up.

    Raises:
        TfsegError: a value that isn't in these lists.
    """

    def __init__(
        self,
        variant: str,
        output_stride: int | None = None,
        multi_grid: Sequence[int] | None = None,
        blocks: Sequence[int] | None = None,
        conv: dict[str, Any] | None = None,
        smoothing: dict[str, Any] | None = None,
        dilation_scheme: str = "uniform",
        channels: int = 3,
    ):
        row = ENCODERS.find(variant)
        if row.style not in STYLES:
            raise unknown("ResNet", variant, of_styles(STYLES))
        if output_stride is None:
            output_stride = row.output_stride
        if output_stride not in list(STRIDES):  # a list, for values without a hash
            raise TfsegError(f"`output_stride` must be 8, 16 or 32, not {output_stride}")
        blocks = check_blocks(variant, blocks, row.blocks)
        if multi_grid is not None and not (
            are_whole(multi_grid, 1) and len(multi_grid) == blocks[-1]
        ):
            raise TfsegError(
                f"`multi_grid` must have {blocks[-1]} factors, one per block of the last stage: "
                f"positive whole numbers such as {','.join(str(2**i) for i in range(blocks[-1]))}, "
                f"not {multi_grid}"
            )
        hybrid = _is_hybrid(dilation_scheme, output_stride, multi_grid)
        style, conv = STYLES[row.style], dict(conv or {})
        pool = "same" if conv.get("padding") == "same" else style.pool
        stages = _stages(row, blocks, style, output_stride, multi_grid)
        if hybrid:
            stages = [_hybrid(stage) for stage in stages]
        config = {
            "variant": variant,
            "output_stride": output_stride,
            "multi_grid": multi_grid,
            "blocks": blocks,
            "conv": conv,
            "smoothing": smoothing,
            **({"dilation_scheme": dilation_scheme} if hybrid else {}),
        }
        super().__init__(
            Stem(style.stem, pool),
            stages,
            ("stage1", "stage2", "stage3", "stage4"),
            stride_on=style.stride_on,
            conv=conv,
            smoothing=smoothing,
            config=config,
            channels=channels,
        )

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Encoder:
        if "depth" in config:  # files of version 0.1.0
            depth, style = config["depth"], config["style"]
            config = {key: config[key] for key in config if key not in ("depth", "style")}
            suffix = {"ade20k": "", "torchvision": "_v1", "caffe": "_caffe"}[style]
            config["variant"] = f"resnet{depth}{suffix}"
        return super().from_config(config, custom_objects)


def _stages(
    row: EncoderRow,
    blocks: Sequence[int],
    style: Style,
    output_stride: int,
    multi_grid: Sequence[int] | None,
) -> list[Stage]:
    strides, rates = STRIDES[output_stride]
    stages: list[Stage] = []
    previous = 1
    for index, (count, stride, rate) in enumerate(zip(blocks, strides, rates, strict=True)):
        factors = multi_grid if multi_grid and index == 3 else (1,) * count
        dilations = [(rate * factor, rate * factor) for factor in factors]
        if style.halve_first and rate != previous and dilations:
            # A basic block strides on its first convolution and is dilated fully on its second;
            # a bottleneck has one 3x3, and that is the one that strode.
            first = previous * factors[0]
            dilations[0] = (first, first if row.block == "bottleneck" else rate * factors[0])
        stage = Stage(row.block, FILTERS[index], tuple(dilations), stride)
        stages.append(dataclasses.replace(stage, groups=row.groups, width=row.width))
        previous = rate
    return stages


def _is_hybrid(scheme: str, output_stride: int, multi_grid: Sequence[int] | None) -> bool:
    """Whether the rates are those of hybrid dilated convolution.

    Raises:
        TfsegError: no such scheme, or one that contradicts the other options.
    """
    if scheme not in DILATION_SCHEMES:
        raise unknown("dilation_scheme", scheme, DILATION_SCHEMES)
    if scheme == "hdc" and multi_grid is not None:
        raise TfsegError("`dilation_scheme` and `multi_grid` both choose rates: give one of them")
    if scheme == "hdc" and output_stride == 32:
        raise TfsegError(
            "`dilation_scheme` hdc would do nothing: no convolution is dilated at output stride 32"
        )
    return scheme == "hdc"


def _hybrid(stage: Stage) -> Stage:
    """A stage with the rates of hybrid dilated convolution; one that isn't dilated as it is."""
    count, rate = len(stage.rates), max(stage.rates, default=1)
    if rate == 1:
        return stage
    each = count // len(stage.dilations)
    whole = count // 3
    rates = [*(rate - 1, rate, rate + 1) * whole, *[rate] * (count - 3 * whole)]
    pairs = [(rates[i], rates[i + each - 1]) for i in range(0, count, each)]
    return dataclasses.replace(stage, dilations=tuple(pairs))
