"""Dilated Residual Networks: DRN-A, DRN-C and DRN-D.

Yu, Koltun, Funkhouser, "Dilated Residual Networks", CVPR 2017. A (section 2) dilates a ResNet;
C (section 4) replaces max pooling by convolutions and adds levels of falling dilation against
gridding; D is C with plain convolutions where C has blocks at either end.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfseg.encoders.encoder import Encoder, Stage, Stem, check_blocks
from tfseg.encoders.table import ENCODERS, EncoderRow, of_styles
from tfseg.errors import TfsegError, unknown

# style: the unit of the outer stages; None where all stages have the variant's own blocks
_ENDS = {"drn_a": None, "drn_c": "basic", "drn_d": "conv"}


def units(row: EncoderRow) -> list[str]:
    """The unit that each stage of a variant is made of: "basic", "bottleneck" or "conv"."""
    end = _ENDS[row.style]
    return [row.block] * 4 if end is None else [end, end, *[row.block] * 4, end, end]


# rows of (filters, strides, first block's rates, other rates, residual), a row for each stage
_StageRow = tuple[int, int, tuple[int, int], tuple[int, int], bool]
_STAGES_A: tuple[_StageRow, ...] = (
    (64, 1, (1, 1), (1, 1), True),
    (128, 2, (1, 1), (1, 1), True),
    (256, 1, (1, 1), (2, 2), True),
    (512, 1, (1, 1), (4, 4), True),
)
_STAGES_CD: tuple[_StageRow, ...] = (
    (16, 1, (1, 1), (1, 1), True),
    (32, 2, (1, 1), (1, 1), True),
    (64, 2, (1, 1), (1, 1), True),
    (128, 2, (1, 1), (1, 1), True),
    (256, 1, (2, 2), (2, 2), True),
    (512, 1, (4, 4), (4, 4), True),
    (512, 1, (2, 2), (2, 2), False),
    (512, 1, (1, 1), (1, 1), False),
)


@keras.saving.register_keras_serializable("tfseg")
class DRN(Encoder):
    """A dilated residual network without its classifier; output stride 8.

    Args:
        variant: name of a row of `ENCODERS`.
        blocks: blocks per stage in place of the variant's; zero leaves a stage out.
        output_stride: 8, the only one that DRNs have.
        multi_grid: None; DRNs have rates of their own.
        conv: dict of further `ConvBN` arguments (padding, batch_norm).
        smoothing: dict of `Smoothing`'s arguments.
        channels: of the images.

    Input [N, H, W, C], output {"stage1": ..., "stage4" (A) or "stage8" (C, D): [N, ceil(H / 8),
    ceil(W / 8), C]}.

    Raises:
        TfsegError: unknown variant, wrong number of `blocks`, other `output_stride`.
    """

    def __init__(
        self,
        variant: str,
        blocks: Sequence[int] | None = None,
        output_stride: int = 8,
        multi_grid: Sequence[int] | None = None,
        conv: dict[str, Any] | None = None,
        smoothing: dict[str, Any] | None = None,
        channels: int = 3,
    ):
        row = ENCODERS.find(variant)
        if row.style not in _ENDS:
            raise unknown("DRN variant", variant, of_styles(_ENDS))
        if output_stride != 8:
            raise TfsegError(f"`output_stride` of {variant} must be 8, not {output_stride}")
        if multi_grid is not None:
            raise TfsegError(
                f"`multi_grid` is for ResNets; {variant} has dilation rates of its own"
            )
        blocks = check_blocks(variant, blocks, row.blocks)
        if row.style == "drn_a":
            stem, rows = Stem(((64, 7, 2),), pool="symmetric"), _STAGES_A
            pyramid = ("stage1", "stage2", "stage3", "stage4")
        else:
            stem, rows = Stem(((16, 7, 1),)), _STAGES_CD
            pyramid = ("stage3", "stage4", "stage5", "stage8")
        stages = [
            Stage(
                unit, filters, (first,) * min(count, 1) + (rest,) * (count - 1), strides, residual
            )
            for unit, count, (filters, strides, first, rest, residual) in zip(
                units(row), blocks, rows, strict=True
            )
        ]
        config = {
            "variant": variant,
            "blocks": blocks,
            "output_stride": output_stride,
            "conv": dict(conv or {}),
            "smoothing": smoothing,
        }
        super().__init__(
            stem,
            stages,
            pyramid,
            conv=conv,
            smoothing=smoothing,
            config=config,
            channels=channels,
        )
