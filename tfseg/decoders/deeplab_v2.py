"""DeepLab v2: atrous spatial pyramid pooling that sums class scores."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfseg.decoders.aspp import check_rates
from tfseg.decoders.decoder import Decoder, build_chain
from tfseg.errors import unknown
from tfseg.types import Maps, Shapes

INITIALIZERS: dict[str, Callable[[], keras.initializers.Initializer]] = {
    "normal": functools.partial(keras.initializers.RandomNormal, stddev=0.01),
    "glorot_uniform": keras.initializers.GlorotUniform,
}


@keras.saving.register_keras_serializable("tfseg")
class DeepLabV2(Decoder):
    """Class scores from 3x3 convolutions of different dilation, summed.

    Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs", TPAMI 2018, section 3.2.

    Args:
        num_classes, levels, conv: see `Decoder`.
        atrous_rates: one dilation rate per convolution.
        head_initializer: of the kernels: "normal" of deviation 0.01, as in the authors' Caffe code,
            or "glorot_uniform", as in the TensorFlow 1 codes.

    Raises:
        TfsegError: bad rates or an unknown initializer.
    """

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        atrous_rates: Sequence[int] = (6, 12, 18, 24),
        conv: dict[str, Any] | None = None,
        head_initializer: str = "normal",
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.atrous_rates = check_rates(atrous_rates)
        self.head_initializer = head_initializer
        if head_initializer not in INITIALIZERS:
            raise unknown("head_initializer", head_initializer, INITIALIZERS)
        self.branches = [
            self._classifier(
                f"branch{number}",
                3,
                dilation_rate=rate,
                kernel_initializer=INITIALIZERS[head_initializer](),
            )
            for number, rate in enumerate(self.atrous_rates, 1)
        ]

    def build(self, input_shape: Shapes) -> None:
        for branch in self.branches:
            build_chain([branch], self.channels(input_shape))

    def call(self, features: Maps) -> Maps:
        maps = features[self.levels[-1]]
        return {"logits": sum(branch(maps) for branch in self.branches)}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "atrous_rates": self.atrous_rates,
            "head_initializer": self.head_initializer,
        }
