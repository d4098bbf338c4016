"""Dilated Residual Networks: DRN-A, DRN-C and DRN-D.

Yu, Koltun, Funkhouser, "Dilated Residual Networks", CVPR 2017. A (section 2) dilates a ResNet;
C (section 4) replaces max pooling by convolutions and adds levels of falling dilation against
gridding; D is C with plain convolutions where C has blocks at either end.
"""

import keras

from tfseg.encoders.encoder import Encoder, Stage, Stem, check_blocks
from tfseg.errors import TfsegError, unknown

# name: (architecture, block, blocks per stage). Parameters and scores stand in the README.
VARIANTS = {
    "drn_a_18": ("A", "basic", (2, 2, 2, 2)),
    "drn_a_34": ("A", "basic", (3, 4, 6, 3)),
    "drn_a_50": ("A", "bottleneck", (3, 4, 6, 3)),
    "drn_c_26": ("C", "basic", (1, 1, 2, 2, 2, 2, 1, 1)),
    "drn_c_42": ("C", "basic", (1, 1, 3, 4, 6, 3, 1, 1)),
    "drn_c_58": ("C", "bottleneck", (1, 1, 3, 4, 6, 3, 1, 1)),
    "drn_d_22": ("D", "basic", (1, 1, 2, 2, 2, 2, 1, 1)),
    "drn_d_24": ("D", "basic", (1, 1, 2, 2, 2, 2, 2, 2)),
    "drn_d_38": ("D", "basic", (1, 1, 3, 4, 6, 3, 1, 1)),
    "drn_d_40": ("D", "basic", (1, 1, 3, 4, 6, 3, 2, 2)),
    "drn_d_54": ("D", "bottleneck", (1, 1, 3, 4, 6, 3, 1, 1)),
    "drn_d_56": ("D", "bottleneck", (1, 1, 3, 4, 6, 3, 2, 2)),
    "drn_d_105": ("D", "bottleneck", (1, 1, 3, 4, 23, 3, 1, 1)),
    "drn_d_107": ("D", "bottleneck", (1, 1, 3, 4, 23, 3, 2, 2)),
}

# architecture: (stem, rows of (unit, filters, strides, first block's rates, other rates, residual),
# pyramid). The unit "block" is the variant's own; an outer unit is "basic" in C, "conv" in D.
_ENDS = {"C": "basic", "D": "conv"}


def _stages_a(block):
    return [
        (block, 64, 1, (1, 1), (1, 1), True),
        (block, 128, 2, (1, 1), (1, 1), True),
        (block, 256, 1, (1, 1), (2, 2), True),
        (block, 512, 1, (1, 1), (4, 4), True),
    ]


def _stages_cd(block, end):
    return [
        (end, 16, 1, (1, 1), (1, 1), True),
        (end, 32, 2, (1, 1), (1, 1), True),
        (block, 64, 2, (1, 1), (1, 1), True),
        (block, 128, 2, (1, 1), (1, 1), True),
        (block, 256, 1, (2, 2), (2, 2), True),
        (block, 512, 1, (4, 4), (4, 4), True),
        (end, 512, 1, (2, 2), (2, 2), False),
        (end, 512, 1, (1, 1), (1, 1), False),
    ]


@keras.saving.register_keras_serializable("tfseg")
class DRN(Encoder):
    """A dilated residual network without its classifier; output stride 8.

    Args:
        variant: a key of `VARIANTS`.
        blocks: blocks per stage in place of the variant's; zero leaves a stage out.
        output_stride: 8, the only one that DRNs have.
        multi_grid: None; DRNs have rates of their own.
        conv: dict of further `ConvBN` arguments (padding, batch_norm).
        smoothing: dict of `Smoothing`'s arguments.

    Input [N, H, W, 3], output {"stage1": ..., "stage4" (A) or "stage8" (C, D): [N, ceil(H / 8),
    ceil(W / 8), C]}.

    Attributes:
        architecture: "A", "C" or "D".

    Raises:
        TfsegError: unknown variant, wrong number of `blocks`, other `output_stride`.
    """

    def __init__(
        self,
        variant,
        blocks=None,
        output_stride=8,
        multi_grid=None,
        conv=None,
        smoothing=None,
    ):
        if variant not in VARIANTS:
            raise unknown("DRN variant", variant, VARIANTS)
        if output_stride != 8:
            raise TfsegError(f"output_stride of {variant} must be 8, not {output_stride}")
        if multi_grid is not None:
            raise TfsegError(f"multi_grid is for ResNets; {variant} has dilation rates of its own")
        architecture, block, published = VARIANTS[variant]
        blocks = check_blocks(variant, blocks, published)
        if architecture == "A":
            stem, rows = Stem(((64, 7, 2),), pool="symmetric"), _stages_a(block)
            pyramid = ("stage1", "stage2", "stage3", "stage4")
        else:
            stem, rows = Stem(((16, 7, 1),)), _stages_cd(block, _ENDS[architecture])
            pyramid = ("stage3", "stage4", "stage5", "stage8")
        stages = [
            Stage(
                unit, filters, (first,) * min(count, 1) + (rest,) * (count - 1), strides, residual
            )
            for (unit, filters, strides, first, rest, residual), count in zip(
                rows, blocks, strict=True
            )
        ]
        config = {
            "variant": variant,
            "blocks": blocks,
            "output_stride": output_stride,
            "conv": dict(conv or {}),
            "smoothing": smoothing,
        }
        super().__init__(stem, stages, pyramid, conv=conv, smoothing=smoothing, config=config)
        self.architecture = architecture
