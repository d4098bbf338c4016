"""The layouts of DeepLab v2 in TensorFlow 1, and of the smoothed dilated convolutions built on it.

Its encoder is TF-slim's ResNet, or under "deeplab" initial weights the ResNet-101 of DrSleep's
tensorflow-deeplab-resnet, which has Caffe's names. The smoothing filters of either are variables
named fix_w (smooth_GI and smooth_SSC), w_avg, c_vector, w_gauss_value and gauss_sigma.
"""

import dataclasses

import numpy as np

from tfseg.models.preprocessing import PREPROCESSINGS
from tfseg.weights.layouts import caffe
from tfseg.weights.layouts.layout import BLOCK, Layout

_STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")
_LEAVES = {"kernel": "weights", "bias": "biases", "ssc": "fix_w", "mixing": "fix_w"}

_SKIP = (
    (r"(^|/)Momentum$|^global_step$", "state of the original optimizer"),
    (r"(^|/)mean_rgb$", "the mean that is subtracted from images"),
    (r"(^|/)w_gauss_value(_\d+)?$", "zeros that the fixed Gaussian is added to"),
    (r"(^|/)gauss_sigma$", "a sigma that cancels in the original's normalisation"),
)


def _mixing_matrix(fix_w):
    """The mixing matrix that does what the original's group interaction does.

    The original multiplies each output group i by w[0, i], where the paper has group 0's outputs:
    out_i = w[0, i] x_i + sum over j >= 1 of w[j, i] x_j.
    """
    if fix_w.ndim != 2:
        return fix_w
    matrix = fix_w.copy()
    matrix[0, 1:] = 0
    return matrix + np.diag(np.concatenate([[0], fix_w[0, 1:]])).astype(fix_w.dtype)


def _without_ones(axes):
    """Function that takes off as many last axes of length one."""

    def convert(value):
        if value.ndim > axes and value.shape[-axes:] == (1,) * axes:
            return value.reshape(value.shape[:-axes])
        return value

    return convert


_ARRAYS = {"mixing": _mixing_matrix, "ssc": _without_ones(3), "average": _without_ones(1)}
_SHARED = (("encoder/smoothing/factors", "c_vector"),)


def _slim(depth):
    """DeepLab v2 over TF-slim's encoder, and TF-slim's own classifier."""
    network = f"resnet_v1_{depth}"
    unit = f"{network}/block{{stage}}/unit_{{block}}/bottleneck_v1"
    # A second tf.Variable of a name in a scope gets a number, and all units of a block share one.
    averages = (
        (r"encoder/stage(?P<stage>\d)_block1/.*/average", f"{network}/block{{stage}}/w_avg"),
        (rf"{BLOCK}/.*/average", f"{network}/block{{stage}}/w_avg_{{block-1}}"),
    )
    encoder = (
        ("encoder/stem/(conv|bn)", f"{network}/conv1"),
        (rf"{BLOCK}/(?P<conv>conv\d)/(conv|bn)", f"{unit}/{{conv}}"),
        (rf"{BLOCK}/projection/(conv|bn)", f"{unit}/shortcut"),
    )
    segmenter = Layout(
        "TF-slim",
        (*encoder, (r"decoder/branch(?P<n>\d)", "decoder/aspp/conv{n}")),
        _SKIP,
        {**_LEAVES, **{name: f"BatchNorm/{name}" for name in _STATISTICS}},
        kernels="HWIO",
        head=rf"^(decoder|{network}/logits)/",
        separator="/",
        variables=(*_SHARED, *averages),
        arrays=_ARRAYS,
        # The code feeds BGR also to these weights, which TF-slim trained on RGB.
        preprocessing=PREPROCESSINGS["caffe"],
    )
    classifier = dataclasses.replace(
        segmenter,
        name="TF-slim classifier",
        rules=(*encoder, ("classifier", f"{network}/logits")),
        preprocessing=PREPROCESSINGS["slim"],
    )
    return [classifier, segmenter]


def _caffe_names(blocks):
    """`blocks`: of each stage, for the numbers of average filters, which stand in no scope."""
    rules = tuple(
        (f"{unit}/{part}", kind + name)
        for unit, name in caffe.units()
        for part, kind in (("conv", "res"), ("bn", "bn"))
    )
    averages = (
        ("encoder/stage3_block1/.*/average", "w_avg"),
        (r"encoder/stage3_block(?P<block>\d+)/.*/average", "w_avg_{block-1}"),
        (r"encoder/stage4_block(?P<block>\d+)/.*/average", f"w_avg_{{block{blocks[2] - 1:+d}}}"),
    )
    return Layout(
        "DeepLab v2 in TensorFlow 1",
        (
            ("encoder/stem/conv", "conv1"),
            ("encoder/stem/bn", "bn_conv1"),
            *rules,
            (r"decoder/branch(?P<n>\d)", "fc1_voc12_c{n-1}"),
        ),
        _SKIP,
        {**_LEAVES, **{name: name for name in _STATISTICS}},
        kernels="HWIO",
        head=r"^fc1_voc12",
        separator="/",
        variables=(*_SHARED, *averages),
        arrays=_ARRAYS,
        preprocessing=PREPROCESSINGS["caffe"],
    )


def layouts(depth, blocks):
    """The layouts that may fit a model over a ResNet in the style of Caffe.

    Args:
        depth: the ResNet's depth.
        blocks: its blocks per stage.
    """
    return [*_slim(depth), _caffe_names(blocks)]
