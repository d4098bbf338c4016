"""Keras layers with plain arguments, built on keras.ops."""

from tfseg.layers.adaptive_pool import AdaptiveAveragePool2D
from tfseg.layers.batch_norm import BatchNorm
from tfseg.layers.conv import Conv2D, convolve, zero_kernels
from tfseg.layers.conv_bn import ConvBN
from tfseg.layers.dilated import DilatedConv2D, Smoothing
from tfseg.layers.dilated_pool import DilatedPool2D
from tfseg.layers.dropout import ChannelDropout
from tfseg.layers.pooling import MaxPool2D
from tfseg.layers.resize import (
    interpolate,
    positions_dtype,
    resize,
    resize_labels,
    resize_legacy,
    upsample_zero_border,
)
from tfseg.layers.split import Split
from tfseg.layers.squeeze_excite import SqueezeExcite
from tfseg.layers.walk import sublayers

__all__ = [
    "AdaptiveAveragePool2D",
    "BatchNorm",
    "ChannelDropout",
    "Conv2D",
    "ConvBN",
    "DilatedConv2D",
    "DilatedPool2D",
    "MaxPool2D",
    "Smoothing",
    "Split",
    "SqueezeExcite",
    "convolve",
    "interpolate",
    "positions_dtype",
    "resize",
    "resize_labels",
    "resize_legacy",
    "sublayers",
    "upsample_zero_border",
    "zero_kernels",
]
