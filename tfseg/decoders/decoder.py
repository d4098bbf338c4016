"""What all decoders share: the levels they look at, their convolutions, their config."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras

from tfseg.layers import Conv2D, ConvBN
from tfseg.types import Shapes


class Decoder(keras.layers.Layer):
    """A layer from an encoder's features to a dict of class scores.

    Args:
        num_classes: channels of the scores.
        levels: names of four features, fine to coarse (`Encoder.pyramid`); the last is the
            encoder's output.
        conv: dict of further `ConvBN` arguments (padding, batch_norm).

    Input: {"stage1": [N, h, w, c], ...}. Output {"logits": [N, h, w, num_classes], ...}.
    """

    # Which level's resolution each output has.
    output_levels = {"logits": -1}  # noqa: RUF012

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.levels = tuple(levels)
        self.conv = dict(conv or {})

    def _unit(self, filters: int, kernel_size: int, name: str, dilation_rate: int = 1) -> ConvBN:
        """A `ConvBN` with ReLU."""
        return ConvBN(
            filters,
            kernel_size,
            dilation_rate=dilation_rate,
            name=name,
            dtype=self.dtype_policy,
            **self.conv,
        )

    def _classifier(self, name: str = "classifier", kernel_size: int = 1, **kwargs: Any) -> Conv2D:
        """A convolution with bias to class scores."""
        return Conv2D(
            self.num_classes,
            kernel_size,
            use_bias=True,
            name=name,
            dtype=self.dtype_policy,
            **kwargs,
        )

    def channels(self, shapes: Shapes, level: int = -1) -> int:
        """Channels of a level, from the dict of feature shapes that `build` gets."""
        return shapes[self.levels[level]][-1]

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        return {
            name: (*input_shape[self.levels[level]][:3], self.num_classes)
            for name, level in self.output_levels.items()
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "levels": self.levels,
            "conv": self.conv,
        }


def build_chain(layers: Iterable[keras.layers.Layer], channels: int) -> int:
    """Builds layers that feed each other, from an input of `channels`; returns the last's."""
    shape = (None, None, None, channels)
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape[-1]
