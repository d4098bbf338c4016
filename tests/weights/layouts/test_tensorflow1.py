"""Names and values of the smoothing filters in TensorFlow 1 checkpoints."""

import numpy as np
import pytest

import tfseg
from tfseg.weights.layouts.tensorflow1 import layouts

TINY = {"blocks": [1, 1, 2, 2]}
TYPES = ["smooth_GI", "smooth_SSC", "average_filter", "gaussian_filter", "aggregation"]


SLIM, CAFFE = "TF-slim", "DeepLab v2 in TensorFlow 1"


def _layout(name, blocks=TINY["blocks"]):
    return next(one for one in layouts(50, blocks) if one.name == name)


def _model(name, dilated_type):
    options = {**TINY, "dilated_type": dilated_type, "trainable_average": True}
    return tfseg.create_model(name, 5, **options)


@pytest.mark.parametrize(
    "name, kernel", [(SLIM, "block3/unit_1/bottleneck_v1/conv2"), (CAFFE, "res4a_branch2b")]
)
@pytest.mark.parametrize("dilated_type", TYPES)
def test_round_trip(dilated_type, name, kernel):
    model = _model("deeplab_v2_resnet50", dilated_type)
    layout = _layout(name)
    names = {variable.path: layout.original(variable.path) for variable in model.variables}
    assert None not in names.values() and len(set(names.values())) == len(names)
    assert any(name.endswith(f"{kernel}/weights") for name in names.values())
    generator = np.random.default_rng(0)
    source = {}
    for variable in model.variables:
        shape = tuple(variable.shape)
        shape += {"ssc": (1, 1, 1), "average": (1,)}.get(variable.path.split("/")[-1], ())
        source[names[variable.path]] = generator.standard_normal(shape).astype(np.float32)
    source["w_gauss_value_1"] = source["a/gauss_sigma"] = np.zeros(1, np.float32)
    report = tfseg.load_weights(model, source)
    assert report.layout == layout.name
    assert set(report.skipped) == {"w_gauss_value_1", "a/gauss_sigma"}
    for variable in model.variables:
        if not variable.path.endswith("mixing"):
            value = source[names[variable.path]].reshape(variable.shape)
            np.testing.assert_array_equal(variable, value)


def test_group_interaction_as_the_original_computes_it():
    convert = _layout(SLIM).arrays["mixing"]
    generator = np.random.default_rng(0)
    w, x = generator.standard_normal((9, 9)), generator.standard_normal((9, 4))
    matrix = convert(w)
    original = [w[0, i] * x[i] + sum(w[j, i] * x[j] for j in range(1, 9)) for i in range(9)]
    np.testing.assert_allclose(matrix.T @ x, original)
    np.testing.assert_array_equal(convert(np.eye(9)), np.eye(9))


@pytest.mark.parametrize(
    "name, names",
    [
        (
            SLIM,
            {
                "encoder/stage3_block1/conv2/conv/average": "resnet_v1_50/block3/w_avg",
                "encoder/stage3_block3/conv2/conv/average": "resnet_v1_50/block3/w_avg_2",
                "encoder/stage4_block1/conv2/conv/average": "resnet_v1_50/block4/w_avg",
                "encoder/smoothing/factors": "c_vector",
                "encoder/stage3_block3/conv2/conv/ssc": (
                    "resnet_v1_50/block3/unit_3/bottleneck_v1/conv2/fix_w"
                ),
            },
        ),
        (
            CAFFE,
            {
                "encoder/stem/bn/gamma": "bn_conv1/gamma",
                "encoder/stage2_block4/projection/conv/kernel": "res3b3_branch1/weights",
                "encoder/stage1_block3/conv1/bn/beta": "bn2c_branch2a/beta",
                "encoder/stage3_block1/conv2/conv/average": "w_avg",
                "encoder/stage3_block6/conv2/conv/average": "w_avg_5",
                "encoder/stage4_block1/conv2/conv/average": "w_avg_6",
                "encoder/stage4_block3/conv2/conv/ssc": "res5c_branch2b/fix_w",
                "decoder/branch1/bias": "fc1_voc12_c0/biases",
            },
        ),
    ],
)
def test_names(name, names):
    layout = _layout(name, [3, 4, 6, 3])
    assert {path: layout.original(path) for path in names} == names


@pytest.mark.parametrize("dilated_type", ["average_filter", "aggregation"])
def test_trained_averages_ask_for_their_option(original_weights, dilated_type):
    options = {"blocks": [1, 1, 2, 1], "dilated_type": dilated_type}
    trained = tfseg.create_model("deeplab_v2_resnet50", 3, trainable_average=True, **options)
    source = original_weights(trained, "TF-slim")
    assert any("w_avg" in name for name in source)
    model = tfseg.create_model("deeplab_v2_resnet50", 3, **options)
    with pytest.raises(tfseg.TfsegError, match="trainable_average=True"):
        tfseg.load_weights(model, source)
