"""Encoders: strides, shapes, atrous consistency, and clear refusals."""

import numpy as np
import pytest

import tfseg
from tfseg.encoders import ENCODERS, Encoder
from tfseg.encoders.encoder import Stage, Stem
from tfseg.layers import sublayers

# Depth changes only how often a block is repeated. Those without blocks are Keras Applications.
ALL = sorted(
    name
    for name, row in ENCODERS.items()
    if row.blocks and not name.startswith(("resnet34", "resnet101", "resnet152"))
)


# With one block each, networks of one kind are one network.
DEEPER = {"drn_a_34", "drn_c_42", *(f"drn_d_{depth}" for depth in (24, 38, 40, 56, 105, 107))}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in DEEPER else ()) for name in ALL],
)
def test_strides_and_shapes(name):
    encoder = tfseg.create_encoder(name, blocks=_one_block_each(name))
    for size in ((32, 40), (33, 41)):
        features = encoder(np.zeros((1, *size, 3), np.float32))
        assert list(features) == list(encoder.strides)
        for stage, stride in encoder.strides.items():
            expected = [-(-length // stride) for length in size]
            if "caffe" in name:  # its pooling keeps a last column that hangs over
                expected = [-(-(-(-length // 2) // 2 + 1) // (stride // 4)) for length in size]
            assert list(features[stage].shape[1:3]) == expected
    assert encoder.output_stride == list(encoder.strides.values())[-1]
    assert len(encoder.pyramid) == 4 and encoder.pyramid[-1] == list(features)[-1]


def _one_block_each(name):
    return [1] * (8 if name.startswith(("drn_c", "drn_d")) else 4)


@pytest.mark.parametrize("unit", ["basic", "bottleneck"])
def test_atrous_consistency(unit):
    """A dilated stage, subsampled, is the strided stage: dilation only makes it denser.

    Chen et al., "Rethinking Atrous Convolution", section 3.1.
    """
    stem = Stem(((4, 3, 2),))
    strided = [Stage(unit, 4, ((1, 1),), 2), Stage(unit, 8, ((1, 1),) * 2, 2)]
    # The block that gave up its stride keeps the rate of its input up to there.
    dense = [Stage(unit, 4, ((1, 1),), 2), Stage(unit, 8, ((1, 2), (2, 2)), 1)]
    if unit == "bottleneck":
        dense[1] = Stage(unit, 8, ((1, 1), (2, 2)), 1)
    pyramid = ("stage1", "stage1", "stage1", "stage2")
    strided, dense = (Encoder(stem, stages, pyramid) for stages in (strided, dense))
    for source, target in zip(strided.variables, dense.variables, strict=True):
        target.assign(source)
    images = np.random.default_rng(0).standard_normal((1, 48, 64, 3)).astype(np.float32)
    sparse, full = strided(images)["stage2"], dense(images)["stage2"]
    np.testing.assert_allclose(np.asarray(full)[:, ::2, ::2], sparse, atol=1e-5)


# Rates differ between the first block of a stage and the others: two blocks have both.
@pytest.mark.parametrize("blocks", [[1, 1, 2, 2], pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "output_stride"),
    [
        ("resnet18_v1", 8),
        ("resnet50", 8),
        ("resnet18", 16),
        ("resnet50_v1", 16),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [("resnet18_v1", 16), ("resnet50", 16), ("resnet18", 8), ("resnet50_v1", 8)]
        ),
    ],
)
def test_resnets_are_atrous(name, output_stride, blocks):
    strided = tfseg.create_encoder(name, blocks=blocks)
    dense = tfseg.create_encoder(name, blocks=blocks, output_stride=output_stride)
    for source, target in zip(strided.variables, dense.variables, strict=True):
        target.assign(source)
    images = np.random.default_rng(0).standard_normal((1, 96, 128, 3)).astype(np.float32)
    sparse, full = strided(images)["stage4"], dense(images)["stage4"]
    step = 32 // output_stride
    np.testing.assert_allclose(
        np.asarray(full)[:, ::step, ::step], sparse, rtol=1e-4, atol=1e-4 * np.abs(sparse).max()
    )


@pytest.mark.parametrize("name", ["drn_c_26", "drn_d_22", "drn_d_54"])
def test_drn_levels_are_atrous(name):
    """DRN's dilated levels, subsampled by their rate, are undilated levels on fewer features."""
    encoder = tfseg.create_encoder(name, blocks=_one_block_each(name))
    images = np.random.default_rng(0).standard_normal((1, 128, 160, 3)).astype(np.float32)
    features = {key: np.asarray(value) for key, value in encoder(images).items()}
    for stage, before, rate in (("stage5", "stage4", 2), ("stage6", "stage5", 4)):
        dilated = encoder.get_layer(f"{stage}_block1")
        assert dilated.dilations == (rate, rate)
        plain = type(dilated)(dilated.filters)
        plain.build((None, None, None, features[before].shape[-1]))
        for source, target in zip(dilated.variables, plain.variables, strict=True):
            target.assign(source)
        sparse = plain(features[before][:, ::rate, ::rate])
        np.testing.assert_allclose(features[stage][:, ::rate, ::rate], sparse, atol=1e-4)


# The classifiers' sizes as the DRN paper's page states them, in millions.
PUBLISHED = {"drn_a_18": 11.7, "drn_d_22": 16.4, "drn_c_26": 21.1, "drn_a_50": 25.6}
LARGER = {"drn_a_34": 21.8, "drn_d_38": 26.5, "drn_c_42": 31.2, "drn_d_54": 35.8}


@pytest.mark.parametrize(
    "published", [PUBLISHED, pytest.param(LARGER, marks=pytest.mark.slow)], ids=["some", "others"]
)
def test_published_parameter_counts(published):
    for name, millions in published.items():
        count = sum(np.prod(v.shape) for v in tfseg.create_classifier(name).trainable_variables)
        assert count / 1e6 == pytest.approx(millions, abs=0.06), name


SMOOTHED = [
    "decompose",
    "smooth_GI",
    "smooth_SSC",
    "average_filter",
    "gaussian_filter",
    "aggregation",
]


NAMES = ["drn_c_26", "drn_d_54", "resnet18_dilated8", "resnet50_caffe"]


# Each smoothing with one of the encoders, and each of these with one or two smoothings.
@pytest.mark.parametrize(
    ("name", "dilated_type"),
    [
        pytest.param(name, kind, marks=() if (i - j) % 4 == 0 else pytest.mark.slow)
        for i, name in enumerate(NAMES)
        for j, kind in enumerate(SMOOTHED)
    ],
)
def test_smoothing_reaches_every_dilated_convolution(name, dilated_type):
    options = {} if "caffe" not in name else {"output_stride": 8}
    encoder = tfseg.create_encoder(
        name, blocks=_one_block_each(name), dilated_type=dilated_type, **options
    )
    again = type(encoder).from_config(encoder.get_config())
    assert [v.path for v in again.variables] == [v.path for v in encoder.variables]
    layers = [layer for layer in sublayers(encoder) if hasattr(layer, "dilation_rate")]
    dilated = [layer for layer in layers if layer.dilation_rate > 1]
    assert dilated and all(layer.dilated_type == dilated_type for layer in dilated)
    # What belongs to the network is one object.
    assert len({id(layer.smoothing) for layer in dilated}) == 1
    assert encoder(np.zeros((1, 17, 24, 3), np.float32))


@pytest.mark.parametrize(
    # Weights of each layer of rate 2, of each of rate 4, and of the network: what ResNet-101 has
    # more is as many as the original counts.
    "options, extra, resnet101",
    [
        ({"dilated_type": "decompose"}, (0, 0, 0), 0),
        ({"dilated_type": "smooth_GI"}, (16, 256, 0), 1136),
        ({"dilated_type": "smooth_SSC"}, (9, 49, 0), 354),
        ({"dilated_type": "gaussian_filter"}, (0, 0, 0), 0),
        ({"dilated_type": "gaussian_filter", "gaussian_sigma": "network"}, (0, 0, 1), 1),
        ({"dilated_type": "gaussian_filter", "gaussian_sigma": "layer"}, (0, 1, 0), 3),
        ({"dilated_type": "average_filter"}, (0, 0, 0), 0),
        ({"dilated_type": "average_filter", "trainable_average": True}, (256, 4608, 0), 19712),
        ({"dilated_type": "aggregation"}, (9, 49, 4), 354 + 4),
        ({"dilated_type": "aggregation", "trainable_average": True}, (265, 4657, 4), 20066 + 4),
    ],
)
@pytest.mark.parametrize(
    "blocks", [(1, 1, 2, 3), pytest.param((3, 4, 23, 3), marks=pytest.mark.slow)], ids=str
)
def test_smoothing_parameters(options, extra, resnet101, blocks):
    def create(**more):
        return tfseg.create_encoder("resnet101_caffe", output_stride=8, blocks=blocks, **more)

    encoder = create(**options)
    expected = extra[0] * blocks[2] + extra[1] * blocks[3] + extra[2]
    assert encoder.count_params() - create().count_params() == expected
    assert expected == resnet101 or blocks[2] != 23
    assert all(v.trainable for v in encoder.variables if "kernel" in v.path or "smooth" in v.path)


def test_smoothing_needs_dilation():
    for name, blocks in (("resnet50", None), ("drn_d_22", [1, 1, 1, 1, 0, 0, 0, 1])):
        with pytest.raises(tfseg.TfsegError, match="would do nothing"):
            tfseg.create_encoder(name, blocks=blocks, dilated_type="smooth_SSC")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"blocks": [1, 2]}, "8 numbers"),
        ({"blocks": [0] * 8}, "between 1 and 200"),
        ({"output_stride": 16}, "`output_stride` of drn_d_22 must be 8"),
        ({"depth": 3}, "unknown encoder option 'depth'"),
        ({"freeze_batch_norm": "yes"}, "freeze_batch_norm"),
        ({"dilated_type": "smooth"}, "choose one of regular, .*aggregation"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(tfseg.TfsegError, match=words):
        tfseg.create_encoder("drn_d_22", **options)


def test_unknown_name_offers_the_nearest():
    with pytest.raises(tfseg.TfsegError, match=r"did you mean .*drn_d_22"):
        tfseg.create_encoder("drn_d_23")
