"""Hybrid dilated convolution: the paper's rates, in ResNets of any depth."""

import pytest

import tfseg
from tfseg.encoders.resnet import STYLES, _hybrid, _stages
from tfseg.encoders.table import ENCODERS


def rates(name, output_stride, blocks=None):
    """The dilation rates of the last two stages' 3x3 convolutions."""
    row = ENCODERS[name]
    stages = _stages(row, blocks or row.blocks, STYLES[row.style], output_stride, None)
    used = slice(1, None) if row.block == "bottleneck" else slice(None)
    return [[rate for pair in _hybrid(one).dilations for rate in pair[used]] for one in stages[2:]]


def test_the_papers_network():
    # Section 4.1.2: rates 1, 2, 3 over the 23 blocks, 2 in the last two; then 3, 4, 5.
    assert rates("resnet101_v1", 8) == [[1, 2, 3] * 7 + [2, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "output_stride", "expected"),
    [
        ("resnet50", 8, [[1, 2, 3] * 2, [3, 4, 5]]),
        ("resnet50_caffe", 16, [[1] * 6, [1, 2, 3]]),
        ("resnet18_v1", 8, [[1, 2, 3, 2], [3, 4, 5, 4]]),
        ("resnet34_v1", 8, [[1, 2, 3] * 4, [3, 4, 5] * 2]),
    ],
)
def test_other_networks(name, output_stride, expected):
    assert rates(name, output_stride) == expected


def test_it_is_kept():
    options = {"blocks": [1, 1, 1, 3], "output_stride": 8}
    hybrid = tfseg.create_encoder("resnet18_v1", dilation_scheme="hdc", **options)
    again = type(hybrid).from_config(hybrid.get_config())
    assert again.get_config()["dilation_scheme"] == "hdc"
    blocks = {layer.name: layer for layer in again.layers}
    assert [blocks[f"stage4_block{n}"].dilations for n in (1, 2, 3)] == [(3, 4), (5, 3), (4, 5)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_stride": 32}, "would do nothing"),
        ({"output_stride": 8, "multi_grid": [1, 2]}, "give one of them"),
        ({"output_stride": 8, "dilation_scheme": "hybrid"}, "unknown dilation_scheme 'hybrid'"),
    ],
)
def test_what_contradicts_it(options, message):
    with pytest.raises(tfseg.TfsegError, match=message):
        tfseg.create_encoder("resnet18_v1", **{"dilation_scheme": "hdc", **options})


def test_drns_have_rates_of_their_own():
    with pytest.raises(tfseg.TfsegError, match="dilation_scheme is no option of drn_d_22"):
        tfseg.create_encoder("drn_d_22", dilation_scheme="hdc")
