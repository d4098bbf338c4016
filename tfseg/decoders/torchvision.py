"""FCN and DeepLab v3 as torchvision has them."""

from collections.abc import Sequence
from typing import Any

import keras

from tfseg.decoders.aspp import ASPP
from tfseg.decoders.c1 import C1
from tfseg.decoders.decoder import build_chain
from tfseg.decoders.supervised import Supervised
from tfseg.layers import ChannelDropout
from tfseg.types import Maps, Shapes, Tensor


@keras.saving.register_keras_serializable("tfseg")
class FCN(C1):
    """One 3x3 convolution to a quarter of the channels, dropout, and class scores.

    Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, over a dilated
    ResNet. It is `C1`, but for the auxiliary branch, which has a quarter of its own level's
    channels.
    """

    aux_width_level = -2


# What torchvision drops of the ASPP's maps; single values there, whole channels here.
_ASPP_DROPOUT = 0.5


@keras.saving.register_keras_serializable("tfseg")
class RefinedDeepLabV3(Supervised):
    """ASPP and a 1x1 convolution as in DeepLab v3, a 3x3 convolution, and class scores.

    Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017,
    section 3.3; the last 3x3 convolution and the auxiliary branch are torchvision's.

    Args:
        num_classes, levels, deep_supervision, dropout, conv: see `Supervised`; torchvision has the
            dropout in the auxiliary branch alone.
        atrous_rates: dilation rates of the ASPP; the default is torchvision's, at output stride 8.
        width: channels of its branches, and of the convolutions behind it.
    """

    aux_width_level = -2

    def __init__(
        self,
        num_classes: int,
        levels: Sequence[str],
        deep_supervision: bool = False,
        dropout: float = 0.0,
        atrous_rates: Sequence[int] = (12, 24, 36),
        width: int = 256,
        conv: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, levels, deep_supervision, dropout, conv, **kwargs)
        self.width = width
        self.aspp = ASPP(atrous_rates, width, self.conv, name="aspp", dtype=self.dtype_policy)
        self.fuse = self._unit(width, 1, "fuse")
        self.aspp_dropout = ChannelDropout(_ASPP_DROPOUT, name="aspp_dropout")
        self.refine = self._unit(width, 3, "refine")

    def build(self, input_shape: Shapes) -> None:
        super().build(input_shape)
        self.aspp_dropout.build()
        chain = [self.aspp, self.fuse, self.refine, self.classifier]
        build_chain(chain, self.channels(input_shape))

    def decode(self, features: Maps, training: bool) -> Tensor:
        maps = self.fuse(self.aspp(features[self.levels[-1]], training=training), training=training)
        return self.refine(self.aspp_dropout(maps, training=training), training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "atrous_rates": self.aspp.atrous_rates,
            "width": self.width,
        }
