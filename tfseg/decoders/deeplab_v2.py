"""DeepLab v2: atrous spatial pyramid pooling that sums class scores."""

import keras

from tfseg.decoders.aspp import check_rates
from tfseg.decoders.decoder import Decoder, build_chain


@keras.saving.register_keras_serializable("tfseg")
class DeepLabV2(Decoder):
    """Class scores from 3x3 convolutions of different dilation, summed.

    Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs", TPAMI 2018, section 3.2.

    Args:
        num_classes, levels, conv: see `Decoder`.
        atrous_rates: one dilation rate per convolution.
    """

    def __init__(self, num_classes, levels, atrous_rates=(6, 12, 18, 24), conv=None, **kwargs):
        super().__init__(num_classes, levels, conv, **kwargs)
        self.atrous_rates = check_rates(atrous_rates)
        self.branches = [
            self._classifier(
                f"branch{number}",
                3,
                dilation_rate=rate,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            )
            for number, rate in enumerate(self.atrous_rates, 1)
        ]

    def build(self, input_shape):
        for branch in self.branches:
            build_chain([branch], self.channels(input_shape))

    def call(self, features):
        maps = features[self.levels[-1]]
        return {"logits": sum(branch(maps) for branch in self.branches)}

    def get_config(self):
        return {**super().get_config(), "atrous_rates": self.atrous_rates}
