"""Atrous spatial pyramid pooling."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.checks import are_whole
from tfseg.errors import TfsegError
from tfseg.layers import AdaptiveAveragePool2D, ConvBN, resize
from tfseg.types import Shape, Tensor


def check_rates(atrous_rates: Sequence[int]) -> tuple[int, ...]:
    """The rates as a tuple.

    Raises:
        TfsegError: not a list of positive whole numbers, or too many or too large ones.
    """
    rates = tuple(atrous_rates) if isinstance(atrous_rates, (list, tuple)) else ()
    if not are_whole(rates, 1, 1024) or not 1 <= len(rates) <= 32:
        raise TfsegError(
            "`atrous_rates` must be up to 32 positive whole numbers such as 6,12,18,24, "
            f"1024 at most, not {str(atrous_rates)[:100]}"
        )
    return rates


@keras.saving.register_keras_serializable("tfseg")
class ASPP(keras.layers.Layer):
    """Parallel convolutions of different dilation, and the image's mean, side by side.

    Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017,
    section 3.3.

    Args:
        atrous_rates: dilation rates of the 3x3 branches; a 1x1 branch comes before them.
        width: channels of each branch.
        conv: dict of further `ConvBN` arguments.

    Input [N, h, w, C], output [N, h, w, (len(atrous_rates) + 2) * width].

    Raises:
        TfsegError: `atrous_rates` aren't positive whole numbers.
    """

    def __init__(
        self,
        atrous_rates: Sequence[int] = (6, 12, 18),
        width: int = 256,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.atrous_rates = check_rates(atrous_rates)
        self.width = width
        self.conv = dict(conv or {})
        self.pool = AdaptiveAveragePool2D(1, dtype=self.dtype_policy)
        self.units = [self._unit("branch0", 1, 1)]
        for number, rate in enumerate(self.atrous_rates, 1):
            self.units.append(self._unit(f"branch{number}", 3, rate))
        self.image = self._unit("image", 1, 1)

    def _unit(self, name: str, kernel_size: int, rate: int) -> ConvBN:
        return ConvBN(
            self.width,
            kernel_size,
            dilation_rate=rate,
            name=name,
            dtype=self.dtype_policy,
            **self.conv,
        )

    def build(self, input_shape: Shape) -> None:
        for unit in (*self.units, self.image):
            unit.build((None, None, None, input_shape[-1]))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        branches = [unit(inputs, training=training) for unit in self.units]
        image = self.image(self.pool(inputs), training=training)
        branches.append(resize(image, ops.shape(inputs)[1:3]))
        return ops.concatenate(branches, -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:3], (len(self.units) + 1) * self.width)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "atrous_rates": self.atrous_rates,
            "width": self.width,
            "conv": self.conv,
        }
