"""An encoder is a stem and a table of stages; this builds one from them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from tfseg.bands import MOST_CHANNELS
from tfseg.checks import are_whole, require_number
from tfseg.encoders.blocks import BLOCKS
from tfseg.errors import TfsegError
from tfseg.layers import ConvBN, MaxPool2D, Smoothing
from tfseg.types import Tensor


@dataclasses.dataclass(frozen=True)
class Stem:
    """The convolutions before the first stage.

    Attributes:
        convs: rows of (filters, kernel_size, strides).
        pool: padding of the `MaxPool2D` behind them, or None.
    """

    convs: tuple
    pool: str | None = None


@dataclasses.dataclass(frozen=True)
class Stage:
    """One row of an encoder's table.

    Attributes:
        unit: "basic", "bottleneck", or "conv" for plain convolutions.
        filters: channels of the 3x3 convolutions.
        dilations: one (first, second) pair of dilation rates per block; its length is the number
            of blocks. "conv" units use the second.
        strides: stride of the first block.
        residual: whether blocks add their input.
        groups, width: of a bottleneck, see the blocks.
    """

    unit: str
    filters: int
    dilations: tuple
    strides: int = 1
    residual: bool = True
    groups: int = 1
    width: int = 64

    @property
    def rates(self) -> list[int]:
        """The dilation rates of the 3x3 convolutions, in order."""
        # A bottleneck and a plain convolution have the second rate alone.
        first = 1 if self.unit in ("bottleneck", "conv") else 0
        return [rate for pair in self.dilations for rate in pair[first:]]


class Encoder(keras.Model):
    """A functional model from images to a dict of feature maps.

    Input [N, H, W, C], normalised, any H and W. Output {"stage1": [N, h, w, c], ...} in order;
    the last one is the encoder's output.

    Args:
        stem: a `Stem`.
        stages: list of `Stage`.
        pyramid: the four stages that stand for ResNet's conv2 to conv5 in a feature pyramid; a
            stage that isn't there is replaced by the last.
        stride_on, conv: passed to the blocks.
        smoothing: dict of `Smoothing`'s arguments, for the dilated convolutions of all stages.
        config: what `get_config` returns, the subclass's own arguments.
        channels: of the images.

    Attributes:
        strides: {stage: input pixels per feature}.
        pyramid: four stage names, fine to coarse; the last is the encoder's output.
        output_stride: stride of the output.
        variant: name of its row in `ENCODERS`, or None.

    Raises:
        TfsegError: `smoothing` where no convolution is dilated.
    """

    def __init__(
        self,
        stem: Stem,
        stages: Sequence[Stage],
        pyramid: Sequence[str],
        *,
        stride_on: str = "3x3",
        conv: dict[str, Any] | None = None,
        smoothing: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        channels: int = 3,
    ):
        conv = dict(conv or {})
        require_number("channels", channels, 1, MOST_CHANNELS, whole=True)
        images = keras.Input((None, None, channels), name="images")
        features, strides = {}, {}
        with keras.name_scope("encoder"):
            smoothing = _shared_smoothing(smoothing, stages)
            outputs, stride = _apply_stem(images, stem, conv)
            for number, stage in enumerate(stages, 1):
                if not stage.dilations:
                    continue
                name = f"stage{number}"
                outputs = _apply_stage(outputs, stage, name, stride_on, conv, smoothing)
                stride *= stage.strides
                features[name], strides[name] = outputs, stride
        super().__init__(inputs=images, outputs=features, name="encoder")
        last = list(features)[-1]
        self.strides = strides
        self.pyramid = (*(name if name in features else last for name in pyramid[:-1]), last)
        self.output_stride = stride
        self._config = dict(config or {})
        if channels != 3:  # Files of RGB models stay as they were.
            self._config["channels"] = channels
        self.variant = self._config.get("variant")

    def get_config(self) -> dict[str, Any]:
        return dict(self._config)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "Encoder":
        return cls(**config)


def _shared_smoothing(options: dict[str, Any] | None, stages: Sequence[Stage]) -> Smoothing:
    """The one `Smoothing` of all stages, with the weights that they share."""
    smoothing = Smoothing.of(options)
    rates = [rate for stage in stages for rate in stage.rates]
    if smoothing.dilated_type != "regular" and max(rates) == 1:
        raise TfsegError(
            f"dilated_type {smoothing.dilated_type} would do nothing: no convolution of this "
            "encoder is dilated; ResNets dilate at output_stride 8 and 16"
        )
    smoothing.build()
    return smoothing


def _apply_stem(outputs: Tensor, stem: Stem, conv: dict[str, Any]) -> tuple[Tensor, int]:
    stride = 1
    for number, (filters, kernel_size, strides) in enumerate(stem.convs, 1):
        name = "stem" if len(stem.convs) == 1 else f"stem{number}"
        outputs = ConvBN(filters, kernel_size, strides, name=name, **conv)(outputs)
        stride *= strides
    if stem.pool:
        outputs = MaxPool2D(stem.pool, lowest=0.0, name="pool")(outputs)
        stride *= 2
    return outputs, stride


def _apply_stage(
    outputs: Tensor,
    stage: Stage,
    name: str,
    stride_on: str,
    conv: dict[str, Any],
    smoothing: Smoothing,
) -> Tensor:
    for number, dilations in enumerate(stage.dilations, 1):
        strides = stage.strides if number == 1 else 1
        if stage.unit == "conv":
            unit = ConvBN(
                stage.filters,
                3,
                strides,
                dilations[1],
                smoothing=smoothing,
                name=f"{name}_conv{number}",
                **conv,
            )
        else:
            unit = BLOCKS[stage.unit](
                stage.filters,
                strides,
                dilations,
                stage.residual,
                stride_on,
                conv,
                smoothing,
                stage.groups,
                stage.width,
                name=f"{name}_block{number}",
            )
        outputs = unit(outputs)
    return outputs


# A file may state a model, and shall not state one that fills the memory: ResNet-152 has 50.
_MOST_BLOCKS = 200


def check_blocks(variant: str, blocks: Sequence[int] | None, published: Sequence[int]) -> list[int]:
    """`blocks` as a list, or the published numbers where it is None.

    Raises:
        TfsegError: wrong length, a negative or no number.
    """
    if blocks is None:
        return list(published)
    if not are_whole(blocks, 0) or len(blocks) != len(published):
        raise TfsegError(
            f"`blocks` of {variant} must be {len(published)} numbers of blocks like "
            f"{','.join(map(str, published))}, not {blocks}"
        )
    if not 0 < sum(blocks) <= _MOST_BLOCKS:
        raise TfsegError(
            f"`blocks` of {variant} must be between 1 and {_MOST_BLOCKS} in all, not {sum(blocks)}"
        )
    return list(blocks)
