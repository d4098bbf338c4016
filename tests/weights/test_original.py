"""Weights go home: into the original names, and back without a difference."""

import hashlib

import numpy as np
import pytest

import tfseg
from tfseg.weights import readers, save_original, to_original

FOUR, EIGHT = {"blocks": [1, 1, 1, 1]}, {"blocks": [1] * 8}

# name, options, layout, entries of the state dict that hold nothing of ours
SEGMENTERS = [
    ("drn_a_18", FOUR, "DRN segmenter", ("up.weight",)),
    ("drn_c_26", EIGHT, "DRN segmenter", ("up.weight",)),
    ("drn_c_58", EIGHT, "DRN segmenter", ("up.weight", "base.9.0.downsample.0.weight")),
    ("drn_d_54", EIGHT, "DRN segmenter", ("up.weight",)),
    ("resnet50+upernet", FOUR, "ADE20K UPerNet", ("encoder.bn1._running_iter",)),
    (
        "resnet18_dilated8+c1_bilinear_deepsup",
        FOUR,
        "ADE20K C1",
        ("decoder.cbr.1._tmp_running_var",),
    ),
    ("resnet18_dilated8+ppm_bilinear", FOUR, "ADE20K PPM", ("encoder.bn1._running_iter",)),
    ("deeplab_v1_resnet50", FOUR, "DeepLab v1/v2", ()),
    ("deeplab_v2_resnet101", FOUR, "DeepLab v1/v2", ()),
    (
        "deeplab_v2_resnet101",
        {**FOUR, "multi_scale": (1, 0.5)},
        "DeepLab v1/v2 MSC",
        ("base.layer1.conv1.bn.num_batches_tracked",),
    ),
    ("deeplab_v3_resnet50", {"blocks": [1, 1, 1, 3]}, "DeepLab v3", ()),
    ("deeplab_v3plus_resnet50", {"blocks": [1, 1, 1, 3]}, "DeepLab v3+", ()),
]
CLASSIFIERS = [
    ("drn_a_18", FOUR, "DRN classifier", 2),
    ("drn_d_22", EIGHT, "DRN classifier", 4),
    ("resnet18_v1", FOUR, "torchvision ResNet", 2),
    ("resnet18", FOUR, "ADE20K classifier", 2),
]


def _randomize(model):
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if "seed_generator" not in variable.path:
            variable.assign(generator.random(variable.shape, np.float32))


def _round_trip(model, layout):
    _randomize(model)
    before = [variable.numpy() for variable in model.variables]
    state = to_original(model)
    for variable in model.variables:
        if "seed_generator" not in variable.path:
            variable.assign(np.zeros(variable.shape, np.float32))
    report = tfseg.load_weights(model, state)
    assert report.layout == layout
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    again = to_original(model)
    assert list(state) == list(again)
    for name, array in state.items():
        np.testing.assert_array_equal(array, again[name])
    return state, report


@pytest.mark.parametrize("name, options, layout, extras", SEGMENTERS)
def test_segmenters(name, options, layout, extras):
    state, report = _round_trip(tfseg.create_model(name, 5, **options), layout)
    norms = [entry for entry in state if entry.endswith(".running_mean")]
    counters = {norm.replace("running_mean", "num_batches_tracked") for norm in norms}
    assert {*extras, *counters} <= state.keys()
    assert {*extras, *counters} <= report.skipped.keys()
    assert all(state[name].dtype == np.int64 and state[name].shape == () for name in counters)


@pytest.mark.parametrize("name, options, layout, axes", CLASSIFIERS)
def test_classifiers(name, options, layout, axes):
    state, _ = _round_trip(tfseg.create_classifier(name, 7, **options), layout)
    assert state["fc.weight"].ndim == axes


# The digests are of the names and shapes of the original models' state dicts.
@pytest.mark.parametrize(
    "create, name, classes, digest",
    [
        (tfseg.create_classifier, "drn_c_26", 1000, "ecbabf2030f0a9e6"),
        (tfseg.create_model, "drn_d_22", 19, "f26f275614ddf81f"),
        (
            tfseg.create_model,
            "resnet18_dilated8+ppm_bilinear_deepsup",
            150,
            "9daa31f6174d7af7",
        ),
        *(
            pytest.param(*row, marks=pytest.mark.slow)
            for row in (
                (tfseg.create_classifier, "drn_a_50", 1000, "2d5b8870b35e1530"),
                (
                    tfseg.create_model,
                    "resnet18_dilated8+c1_bilinear_deepsup",
                    150,
                    "26a4be132c454a1b",
                ),
                (tfseg.create_model, "resnet50+upernet", 150, "6736799e22c52dcf"),
                (tfseg.create_model, "deeplab_v2_resnet101", 21, "62312f1055860560"),
                (tfseg.create_model, "deeplab_v3plus_resnet101", 21, "53e0ffcbc846935a"),
            )
        ),
    ],
)
def test_names_and_shapes_are_the_originals(create, name, classes, digest):
    state = to_original(create(name, classes))
    lines = sorted(f"{key} {list(value.shape)}" for key, value in state.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest


def test_fixed_upsampling_is_bilinear():
    kernel = to_original(tfseg.create_model("drn_a_18", 2, **FOUR))["up.weight"]
    assert kernel.shape == (2, 1, 16, 16)
    # Every pixel of the enlarged map takes two positions an axis, whose weights sum to one.
    np.testing.assert_allclose(kernel[0, 0].reshape(2, 8, 2, 8).sum((0, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(kernel[1, 0, 7:9, 7:9], (15 / 16) ** 2)


def test_the_multi_scale_wrapper_is_part_of_the_names():
    """DeepLab's code has its wrapper's network under "base."; who wants it alone says so."""
    model = tfseg.create_model("deeplab_v2_resnet101", 3, multi_scale=(1, 0.5), **FOUR)
    whole, network = to_original(model), to_original(model, "DeepLab v1/v2")
    assert list(whole) == [f"base.{name}" for name in network]
    single = tfseg.create_model("deeplab_v2_resnet101", 3, **FOUR)
    assert list(to_original(single)) == list(network)
    assert tfseg.load_weights(single, whole).layout == "DeepLab v1/v2 MSC"


def test_safetensors_file(tmp_path):
    model = tfseg.create_model("drn_d_22", 5, **EIGHT)
    path = tmp_path / "model.safetensors"
    save_original(model, path)
    weights, state = readers.read(path), to_original(model)
    assert set(weights) == set(state)
    for name, array in state.items():
        np.testing.assert_array_equal(weights[name], array)
        assert weights[name].dtype == array.dtype
    assert tfseg.load_weights(model, path).layout == "DRN segmenter"
    with pytest.raises(tfseg.TfsegError, match=r"\*\.safetensors"):
        save_original(model, tmp_path / "model.pth")
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_has_no_original():
    combination = tfseg.create_model("drn_d_22+c1_bilinear", 5, **EIGHT)
    with pytest.raises(tfseg.TfsegError, match=r"no name for .* decoder/reduce"):
        to_original(combination)
    with pytest.raises(tfseg.TfsegError, match="unknown layout 'DRN'"):
        to_original(tfseg.create_model("drn_d_22", 5, **EIGHT), "DRN")
