"""RegSeg: a backbone whose every block looks at two dilation rates.

Gao, "Rethinking Dilated Convolution for Real-time Semantic Segmentation", 2021
(arXiv:2111.09957), sections 3.2 and 3.3, table 1.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfseg.encoders.encoder import Encoder, Stage, Stem, check_blocks
from tfseg.encoders.table import ENCODERS
from tfseg.errors import TfsegError

# The second branch's rates in the blocks of the third stage, as published; the first branch's is 1.
_RATES = (1, 1, 2, *(4,) * 4, *(14,) * 6)
# (channels, stride) of the stages; the last block, wider than those before, is a stage here.
_STAGES = ((48, 2), (128, 2), (256, 2), (320, 1))


@keras.saving.register_keras_serializable("tfseg")
class RegSeg(Encoder):
    """RegSeg's backbone; output stride 16.

    Args:
        variant: name of a row of `ENCODERS`.
        blocks: blocks per stage in place of the published ones, of the third at most as many.
        output_stride: 16, the only one.
        conv: dict of further `ConvBN` arguments (padding, batch_norm).
        smoothing: dict of `Smoothing`'s arguments.
        channels: of the images.

    Input [N, H, W, C], output {"stage1": [N, H / 4, W / 4, 48], "stage2": 128 channels at stride 8,
    "stage3": 256 and "stage4": 320 at stride 16}, sizes rounded up.

    Raises:
        TfsegError: another output stride, or numbers of blocks that it can't have.
    """

    def __init__(
        self,
        variant: str = "regseg",
        blocks: Sequence[int] | None = None,
        output_stride: int | None = None,
        conv: dict[str, Any] | None = None,
        smoothing: dict[str, Any] | None = None,
        channels: int = 3,
    ):
        row = ENCODERS.find(variant)
        if output_stride not in (None, row.output_stride):
            raise TfsegError(
                f"{variant} has output stride {row.output_stride}, not {output_stride}"
            )
        blocks = check_blocks(variant, blocks, row.blocks)
        if blocks[2] > len(_RATES):
            raise TfsegError(f"`blocks` of {variant}: the third stage has {len(_RATES)} at most")
        rates = ((1,) * blocks[0], (1,) * blocks[1], _RATES[: blocks[2]], (14,) * blocks[3])
        stages = [
            Stage("two_branch", filters, tuple((1, rate) for rate in own), stride, width=row.width)
            for (filters, stride), own in zip(_STAGES, rates, strict=True)
        ]
        super().__init__(
            Stem(((32, 3, 2),)),
            stages,
            ("stage1", "stage2", "stage3", "stage4"),
            conv=conv,
            smoothing=smoothing,
            config={
                "variant": variant,
                "blocks": blocks,
                "output_stride": output_stride,
                "conv": dict(conv or {}),
                "smoothing": smoothing,
            },
            channels=channels,
        )
