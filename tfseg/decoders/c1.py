"""C1: the plain decoder of the ADE20K models."""

import keras

from tfseg.decoders.decoder import build_chain
from tfseg.decoders.supervised import Supervised
from tfseg.types import Maps, Shapes, Tensor


@keras.saving.register_keras_serializable("tfseg")
class C1(Supervised):
    """One 3x3 convolution to a quarter of the channels, then class scores.

    Zhou et al., "Semantic Understanding of Scenes through the ADE20K Dataset", IJCV 2019,
    section 5. See `Supervised` for arguments and outputs.
    """

    def build(self, input_shape: Shapes) -> None:
        super().build(input_shape)
        channels = self.channels(input_shape)
        self.reduce = self._unit(channels // 4, 3, "reduce")
        build_chain([self.reduce, self.classifier], channels)

    def decode(self, features: Maps, training: bool) -> Tensor:
        return self.reduce(features[self.levels[-1]], training=training)
