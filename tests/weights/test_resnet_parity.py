"""DeepLab and ADE20K models with the reference runs' weights give the reference outputs."""

import numpy as np
import pytest
from keras import ops

import tfseg


def _nchw(maps):
    return np.asarray(maps).transpose(0, 3, 1, 2)


def _load(name, num_classes, layout, original_weights, **options):
    model = tfseg.create_model(name, num_classes, **options)
    tfseg.load_weights(model, original_weights(model, layout))
    return model


@pytest.mark.parametrize("prefix", ["", " MSC"])
def test_deeplab_v2(prefix, golden, original_weights, reference_image, assert_close):
    model = tfseg.create_model("deeplab_v2_resnet101", 21)
    source = original_weights(model, "DeepLab v1/v2")
    # Under the multi-scale wrapper the same names have a prefix.
    tfseg.load_weights(model, {("base." if prefix else "") + k: v for k, v in source.items()})
    logits = model(reference_image(4, (1, 3, 97, 113)))["logits"]
    assert_close(_nchw(logits), golden("deeplab_v2_resnet101")["logits"], 1e-3)


def test_deeplab_v3plus(golden, original_weights, reference_image, assert_close):
    model = _load("deeplab_v3plus_resnet101", 21, "DeepLab v3+", original_weights)
    logits = model(reference_image(4, (1, 3, 97, 113)))["logits"]
    upsampled = _nchw(model.upsample(logits, (97, 113)))[:, :, ::4, ::4]
    assert_close(upsampled, golden("deeplab_v3plus_resnet101")["logits"], 1e-3)


def test_tensorflow_1(golden, original_weights, assert_close):
    model = _load(
        "deeplab_v2_resnet50",
        21,
        "TF-slim",
        original_weights,
        padding="same",
        batch_norm_epsilon=1e-3,
    )
    generator = np.random.Generator(np.random.PCG64(7))
    logits = model(generator.standard_normal((1, 97, 113, 3)).astype(np.float32))["logits"]
    assert_close(logits, golden("tf1_res50_regular")["logits"], 1e-3)


def test_tensorflow_1_with_average_filters(golden, original_weights, assert_close):
    model = tfseg.create_model(
        "deeplab_v2_resnet50",
        21,
        padding="same",
        batch_norm_epsilon=1e-3,
        dilated_type="average_filter",
        trainable_average=True,
    )
    source = original_weights(model, "TF-slim")
    assert "resnet_v1_50/block3/w_avg" in source and "resnet_v1_50/block4/w_avg_2" in source
    # In the reference run the filters had their initial value.
    for name in [name for name in source if "w_avg" in name]:
        shape = source[name].shape
        source[name] = np.full((*shape, 1), 1 / shape[0] ** 2, np.float32)
    tfseg.load_weights(model, source)
    generator = np.random.Generator(np.random.PCG64(7))
    logits = model(generator.standard_normal((1, 97, 113, 3)).astype(np.float32))["logits"]
    assert_close(logits, golden("tf1_res50_average_filter")["logits"], 1e-3)


@pytest.mark.parametrize(
    "name, layout, reference",
    [
        ("resnet18_dilated8+c1_bilinear_deepsup", "ADE20K C1", "csail_resnet18dilated_c1_deepsup"),
        (
            "resnet18_dilated8+ppm_bilinear_deepsup",
            "ADE20K PPM",
            "csail_resnet18dilated_ppm_deepsup",
        ),
        ("resnet50+upernet", "ADE20K UPerNet", "csail_resnet50_upernet"),
    ],
)
def test_ade20k(name, layout, reference, golden, original_weights, reference_image, assert_close):
    model = _load(name, 150, layout, original_weights)
    expected = golden(reference)
    images = reference_image(5, (1, 3, 96, 128))
    outputs = model(images)
    log_probs = _nchw(ops.log_softmax(outputs["logits"]))
    assert_close(log_probs[:, ::5], expected["log_probs"], 1e-4)
    if "log_probs_aux" in expected:
        log_probs = _nchw(ops.log_softmax(outputs["aux_logits"]))
        assert_close(log_probs[:, ::5], expected["log_probs_aux"], 1e-4)
    resized = _nchw(model.probabilities(images, (192, 256)))[:, ::5, ::8, ::8]
    assert_close(resized, expected["probs_resized"], 1e-4)
