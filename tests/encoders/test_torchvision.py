"""ResNeXt and Wide ResNet give torchvision's outputs on the same random weights."""

import numpy as np
import pytest

import tfseg

# our name: (torchvision's parameters, of 1000 classes; entries of its state dict but counters)
NETWORKS = {
    "resnext50_32x4d_v1": (25_028_904, 267),
    "resnext101_32x8d_v1": (88_791_336, 522),
    "wide_resnet50_v1": (68_883_240, 267),
}
# One network at full depth in the default suite, all of them in the slow one.
CASES = [(name, [1, 2, 1, 1]) for name in NETWORKS] + [
    pytest.param(name, None, marks=() if name == "resnext50_32x4d_v1" else pytest.mark.slow)
    for name in NETWORKS
]


@pytest.mark.parametrize(("name", "blocks"), CASES)
def test_outputs_are_torchvisions(name, blocks, golden, original_weights, reference_image):
    model = tfseg.create_classifier(name, 10, blocks=blocks)
    weights = original_weights(model, "torchvision ResNet")
    tfseg.load_weights(model, weights)
    parameters, entries = NETWORKS[name]
    if blocks is None:
        assert len(weights) == entries
        count = sum(np.prod(variable.shape) for variable in model.trainable_variables)
        assert count == parameters - 990 * 2049
    expected = golden("torchvision")[name if blocks is None else f"{name}_1211"]
    logits = np.asarray(model(reference_image(1, (1, 3, 65, 97)))["logits"])
    np.testing.assert_allclose(logits, expected, atol=1e-4 * expected.std())


@pytest.mark.parametrize("name", ["resnext50_32x4d_v1", "wide_resnet50_v1"])
def test_dilated_and_as_a_segmenter(name):
    options = {"blocks": [1, 1, 1, 1]}
    model = tfseg.create_model(f"{name}+deeplab_v3", 3, **options)
    assert model.output_stride == 16
    strided = tfseg.create_encoder(name, **options)
    for source, target in zip(model.encoder.variables, strided.variables, strict=True):
        target.assign(source)
    images = np.random.default_rng(0).standard_normal((1, 64, 96, 3)).astype(np.float32)
    sparse, full = strided(images)["stage4"], model.encoder(images)["stage4"]
    np.testing.assert_allclose(np.asarray(full)[:, ::2, ::2], sparse, atol=1e-4)
