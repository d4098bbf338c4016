"""What holds for every model, whatever its encoder and decoder."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.layers import resize
from tfseg.models import ModelSpec, Preprocessing, precision
from tfseg.models.multi_scale import Rescale
from tfseg.models.precisions import precision_of
from tfseg.models.table import resolve

# Small representatives; every new family adds its own line and gets all tests of this file.
MODELS = [
    ("drn_a_18", {"blocks": [1, 1, 1, 1]}),
    ("drn_c_26", {"blocks": [1, 1, 1, 1, 1, 0, 0, 1]}),
    ("deeplab_v1_resnet50", {"blocks": [1, 1, 1, 1]}),
    ("deeplab_v2_resnet50", {"blocks": [1, 1, 1, 1], "atrous_rates": [2, 3]}),
    ("deeplab_v3_resnet50", {"blocks": [1, 1, 1, 2], "multi_grid": [1, 2]}),
    ("resnet18_v1+deeplab_v3plus", {"blocks": [1, 1, 1, 1], "atrous_rates": [2]}),
    ("resnet18_dilated16+c1_bilinear", {"blocks": [1, 1, 1, 1]}),
    ("resnet18_dilated8+ppm_bilinear_deepsup", {"blocks": [1, 1, 1, 1], "dropout": 0.0}),
    ("resnet18+upernet", {"blocks": [1, 1, 1, 1], "padding": "same"}),
    ("drn_d_22+linear", {"blocks": [1, 1, 1, 1, 0, 0, 0, 1], "batch_norm_momentum": 0.5}),
    ("drn_d_22", {"blocks": [1, 1, 1, 1, 1, 1, 1, 1], "dilated_type": "smooth_GI"}),
    ("resnet18_v1+deeplab_v2", {"blocks": [1, 1, 1, 1], "dilated_type": "aggregation"}),
    ("deeplab_v2_resnet50", {"blocks": [1, 1, 1, 1], "multi_scale": [1, 0.75, 0.5]}),
    (
        "resnet18_dilated8+c1_bilinear_deepsup",
        {"blocks": [1, 1, 1, 1], "multi_scale": [1.5, 1], "dropout": 0.0},
    ),
]


@pytest.fixture(scope="module", params=MODELS, ids=lambda row: row[0])
def model(request):
    """Built once: what one test does to it doesn't matter to another."""
    keras.utils.set_random_seed(0)
    name, options = request.param
    return tfseg.create_model(name, 5, **options)


@pytest.mark.parametrize("size", [(32, 40), (35, 51), (9, 8)])
def test_forward_contract(model, size):
    images = np.random.default_rng(0).standard_normal((2, *size, 3)).astype(np.float32)
    outputs = model(images)
    assert set(model.loss_weights) <= set(outputs)
    for maps in outputs.values():
        assert maps.dtype == "float32" and maps.shape[0] == 2 and maps.shape[-1] == 5
    assert model.upsample(outputs["logits"], size).shape == (2, *size, 5)
    probabilities = np.asarray(model.probabilities(images))
    assert probabilities.shape == (2, *size, 5)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert model.probabilities(images, (16, 24)).shape == (2, 16, 24, 5)


def test_config_rebuilds_the_model(model):
    # Through text, as model.json keeps it.
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert [v.path for v in again.variables] == [v.path for v in model.variables]
    assert json.loads(json.dumps(again.get_config())) == config


def test_keras_file_round_trip(model, tmp_path):
    images = np.random.default_rng(0).standard_normal((1, 32, 40, 3)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    np.testing.assert_array_equal(again(images)["logits"], model(images)["logits"])


def test_sizes_may_be_unknown_in_a_graph(model):
    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def probabilities(images):
        traces.append(1)
        return model.probabilities(images)

    for size in ((32, 40), (35, 51)):
        images = np.random.default_rng(0).standard_normal((1, *size, 3)).astype(np.float32)
        expected = model.probabilities(images)
        np.testing.assert_allclose(probabilities(images), expected, atol=1e-4)
    assert len(traces) == 1


def test_variables_have_stable_paths(model):
    paths = [v.path for v in model.variables if "seed_generator" not in v.path]
    assert len(set(paths)) == len(paths)
    assert not [path for path in paths if not path.startswith(("encoder/", "decoder/"))]


def test_every_variable_gets_a_gradient(model):
    images = tf.random.normal((1, 32, 40, 3))
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = sum(tf.reduce_sum(outputs[key] ** 2) for key in model.loss_weights)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    missing = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None
    ]
    assert not missing


def test_half_precision_gives_float32_scores():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = tfseg.create_model("drn_d_22", 5, blocks=[1, 1, 1, 1, 0, 0, 0, 1])
    outputs = model(np.zeros((1, 16, 16, 3), np.float32))
    assert outputs["logits"].dtype == "float32"
    assert all(variable.dtype == "float32" for variable in model.variables)


def test_multi_scale_is_the_maximum_of_one_network_at_each_scale():
    options = {"blocks": [1, 1, 1, 1]}
    model = tfseg.create_model("deeplab_v2_resnet50", 5, multi_scale=(1, 0.75, 0.5), **options)
    plain = tfseg.create_model("deeplab_v2_resnet50", 5, **options)
    for source, target in zip(model.variables, plain.variables, strict=True):
        assert source.path == target.path
        target.assign(source)
    images = np.random.default_rng(0).standard_normal((2, 96, 112, 3)).astype(np.float32)
    outputs = model(images)
    largest = plain(images)["logits"]
    np.testing.assert_allclose(outputs["logits_1"], largest, atol=1e-4)
    for scale, size in ((0.75, (72, 84)), (0.5, (48, 56))):
        logits = plain(resize(images, size))["logits"]
        np.testing.assert_allclose(outputs[f"logits_{scale}"], logits, atol=1e-4)
        largest = np.maximum(largest, resize(logits, largest.shape[1:3]))
    np.testing.assert_allclose(outputs["logits"], largest, atol=1e-4)
    assert model.loss_weights == dict.fromkeys(outputs, 1.0)
    shapes = model.compute_output_shape(images.shape)
    assert shapes == {name: tuple(value.shape) for name, value in outputs.items()}


def test_rescaling_keeps_the_scale_where_the_size_is_rounded():
    images = np.random.default_rng(0).standard_normal((2, 97, 115, 3)).astype(np.float32)
    layer = Rescale(0.75)
    rescaled = layer(images)
    assert rescaled.shape == (2, 72, 86, 3) == layer.compute_output_shape(images.shape)
    np.testing.assert_allclose(
        rescaled[:, :, :84], resize(images[:, :96, :112], (72, 84)), atol=1e-4
    )
    assert Rescale(0.7)(np.zeros((1, 1, 10, 3))).shape == (1, 1, 7, 3)
    np.testing.assert_allclose(Rescale(2)(images), resize(images, (194, 230)), atol=1e-4)


def test_multi_scale_weighs_auxiliary_outputs_like_their_own():
    name, scales = "resnet18_dilated8+c1_bilinear_deepsup", (1, 0.5)
    model = tfseg.create_model(name, 5, multi_scale=scales, blocks=[1, 1, 1, 1])
    weights = {"logits": 1.0, "aux_logits": 0.4}
    expected = {f"{key}{end}": w for key, w in weights.items() for end in ("", "_1", "_0.5")}
    assert model.loss_weights == expected


@pytest.mark.parametrize("name", ["drn_a_18", "drn_d_22"])
def test_classifier(name, tmp_path):
    blocks = [1] * (4 if "_a_" in name else 8)
    model = tfseg.create_classifier(name, 7, blocks=blocks)
    images = np.random.default_rng(0).standard_normal((2, 40, 48, 3)).astype(np.float32)
    logits = model(images)["logits"]
    assert logits.shape == (2, 7)
    maps = np.asarray(model.activation_maps(images))
    assert maps.shape == (2, 5, 6, 7)
    np.testing.assert_allclose(maps.mean((1, 2)), logits, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images)["logits"], logits)


def test_precision_survives_a_keras_file(tmp_path):
    with precision("bfloat16"):
        model = tfseg.create_model("drn_a_18", 5, blocks=[1, 1, 1, 1])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert precision_of(again) == "bfloat16"
    assert again.encoder.variables[0].dtype == "float32"
    images = np.random.default_rng(0).standard_normal((1, 32, 40, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(images)["logits"], model(images)["logits"])


def test_published_names():
    names = tfseg.list_models()
    # DRNs, five ResNets under four DeepLabs, RegSeg, and torchvision's two decoders at two depths.
    published = 14 + 4 * 5 + 1 + 2 * 2
    assert len(names) == len(set(names)) == published + len(ENCODERS) * len(DECODERS)
    encoder, decoder, options = resolve("deeplab_v3plus_resnet18")
    assert (encoder, decoder) == ("resnet18_caffe", "deeplab_v3plus")
    assert options == {"multi_grid": (1, 2)}


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("drn_d_23", {}, "did you mean .*drn_d_22"),
        ("drn_d_22+lineer", {}, "did you mean linear"),
        ("drn_d_22", {"dilation": 2}, "unknown option of drn_d_22 'dilation'"),
        ("drn_d_22", {"padding": "valid"}, "choose one of symmetric, same"),
        ("resnet50+upernet", {"output_stride": 12}, "8, 16 or 32, not 12"),
        (
            "drn_d_22",
            {"atrous_rates": (6, 12)},
            "the decoders deeplab_v2, deeplab_v3, deeplab_v3plus, .*; drn_d_22 has linear",
        ),
        ("deeplab_v2_resnet50", {"dropout": 0.1}, "c1_bilinear, .*has deeplab_v2"),
        ("deeplab_v2_resnet50", {"atrous_rates": "6"}, "positive whole numbers"),
        ("deeplab_v2_resnet50", {"atrous_rates": (True, 6)}, "positive whole numbers"),
        ("deeplab_v3_resnet50", {"multi_grid": (1, 2)}, "must have 3 factors"),
        ("deeplab_v3_resnet50", {"multi_grid": 2}, "such as 1,2,4, not 2"),
        ("deeplab_v3_resnet50", {"multi_grid": (1, 0, 4)}, "positive whole numbers"),
        ("deeplab_v3_resnet50", {"multi_grid": (1, "b", 4)}, "positive whole numbers"),
        ("resnet50+upernet", {"output_stride": [8]}, "8, 16 or 32, not"),
        ("resnet50+upernet", {"blocks": 3}, "must be 4 numbers of blocks like 3,4,6,3, not 3"),
        ("drn_d_22", {"dilated_type": ["regular"]}, "choose one of regular"),
        (
            "drn_d_22",
            {"batch_norm_epsilon": "small"},
            "`batch_norm_epsilon` must be a number",
        ),
        ("drn_d_22", {"batch_norm_momentum": 2}, "`batch_norm_momentum` must be in 0..1, not 2"),
        ("drn_d_22", {"sync_batch_norm": "yes"}, "`sync_batch_norm` must be true or false"),
        ("drn_d_22", {"multi_grid": (1, 2)}, "is for ResNets"),
        ("drn_d_22", {"dilated_type": "smooth_SCC"}, "did you mean .*smooth_SSC"),
        ("drn_d_22", {"multi_scale": (0.75, 0.5)}, "one of them 1"),
        ("drn_d_22", {"multi_scale": (1, -0.5)}, "positive"),
        ("drn_d_22", {"multi_scale": (1, 0.5, 0.5)}, "different"),
        ("drn_d_22", {"multi_scale": 0.5}, "such as 1,0.75,0.5"),
        ("drn_d_22+c1_bilinear", {"dropout": 1}, "at least 0 and below 1"),
        ("drn_d_22+c1_bilinear", {"dropout": "no"}, "`dropout` must be a number"),
    ],
)
def test_bad_names_and_options(name, options, words):
    with pytest.raises(tfseg.TfsegError, match=words):
        tfseg.create_model(name, 5, **options)


@pytest.mark.parametrize("num_classes", [0, -1, 2.5, True, 257, "three"])
def test_bad_number_of_classes(num_classes):
    with pytest.raises(tfseg.TfsegError, match="num_classes"):
        tfseg.create_model("drn_d_22", num_classes)


def test_preprocessing():
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 3), np.uint8)
    rgb = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    expected = (image / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    np.testing.assert_allclose(rgb.normalize(image), expected, atol=1e-5)
    bgr = Preprocessing((104.0, 116.7, 122.7), (1, 1, 1), "BGR", 1.0)
    np.testing.assert_allclose(bgr.normalize(image)[..., 0], image[..., 2] - 104.0, atol=1e-4)
    for one in (rgb, bgr):
        fill = np.array(one.fill, np.float32)
        np.testing.assert_allclose(one.normalize(fill), 0, atol=1e-5)
        assert Preprocessing.from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    "values",
    [{"mean": (1, 2)}, {"std": (0, 1, 1)}, {"channel_order": "GBR"}, {"scale": 0}, {"mean": "abc"}],
)
def test_bad_preprocessing(values):
    with pytest.raises(tfseg.TfsegError):
        Preprocessing(**values)


def test_model_spec(tmp_path):
    spec = ModelSpec(
        "drn_d_22",
        3,
        {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]},
        Preprocessing(),
        ["road", "car", "sky"],
        [[0, 0, 0], [1, 2, 3], [4, 5, 6]],
        label_map={7: 0, 10: 1},
    )
    path = tmp_path / "model.json"
    spec.save(path)
    assert ModelSpec.load(path) == spec
    assert spec.build().num_classes == 3
    for text, words in (
        ("{", "JSON"),
        ("{}", "name"),
        ('{"name": 1, "num_classes": 1, "format": 9}', "newer"),
        ('{"name": "drn_d_23", "num_classes": 1}', "did you mean .*drn_d_22"),
        ('{"name": "drn_d_22", "num_classes": "1"}', "a whole number"),
        ('{"name": "drn_d_22", "num_classes": 2, "classes": ["road"]}', "classes has 1"),
        ('{"name": "drn_d_22", "num_classes": 2, "label_map": {"road": 1}}', "describe a model"),
        ('{"name": "drn_d_22", "num_classes": 2, "preprocessing": {"std": 0}}', "std must be"),
    ):
        path.write_text(text)
        with pytest.raises(tfseg.TfsegError, match=words) as error:
            ModelSpec.load(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(tfseg.TfsegError, match="classes has 1"):
        ModelSpec("drn_d_22", 3, classes=["road"])
