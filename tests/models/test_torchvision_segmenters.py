"""torchvision's FCN and DeepLab v3 give torchvision's outputs on the same random weights."""

import numpy as np
import pytest

import tfseg
from tfseg import zoo
from tfseg.weights import to_original

# our name: torchvision's parts, the report's name for its files
MODELS = {
    "fcn_resnet50": ("fcn", "torchvision FCN"),
    "deeplabv3_resnet50": ("deeplabv3", "torchvision DeepLab v3"),
}
CASES = [(name, "1211") for name in MODELS] + [
    pytest.param(name, "resnet50", marks=pytest.mark.slow) for name in MODELS
]


@pytest.mark.parametrize(("name", "depth"), CASES)
def test_outputs_are_torchvisions(name, depth, golden, original_weights, reference_image):
    key, layout = MODELS[name]
    options = {"blocks": [1, 2, 1, 1]} if depth == "1211" else {}
    model = tfseg.create_model(name, 5, **options)
    weights = original_weights(model, layout)
    assert tfseg.load_weights(model, weights).layout == layout
    expected = golden("torchvision_segmenters")
    parameters = sum(np.prod(variable.shape) for variable in model.trainable_variables)
    size = [parameters, len(weights)]
    np.testing.assert_array_equal(size, expected[f"{key}_{depth}_size"])
    maps = model(reference_image(1, (1, 3, 65, 97)), training=False)
    assert model.output_stride == 8
    for ours, theirs in (("logits", "out"), ("aux_logits", "aux")):
        full = np.asarray(model.upsample(maps[ours], (65, 97)))[0, ::4, ::4].transpose(2, 0, 1)
        reference = expected[f"{key}_{depth}_{theirs}"]
        np.testing.assert_allclose(full, reference, atol=1e-4 * reference.std())


def test_a_loss_is_torchvisions():
    model = tfseg.create_model("resnet18_v1+fcn", 3, blocks=[1, 1, 1, 1])
    assert model.loss_weights == {"logits": 1.0, "aux_logits": 0.5}
    assert model.loss_resolution == "labels"
    assert model.decoder.dropout.rate == 0.1  # torchvision's, where nothing else is asked for
    asked = {"dropout": 0.0, "aux_loss_weight": 0.4}
    other = tfseg.create_model("resnet18_v1+fcn", 3, blocks=[1, 1, 1, 1], **asked)
    assert other.loss_weights["aux_logits"] == 0.4
    assert other.decoder.dropout.rate == 0.0


def test_weights_go_home_and_a_new_head_stays_fresh():
    small = {"blocks": [1, 1, 1, 1]}
    model = tfseg.create_model("resnet18_v1+deeplab_v3_refined", 5, **small)
    state = to_original(model)
    assert "aux_classifier.4.bias" in state and "classifier.0.convs.4.1.weight" in state
    assert tfseg.load_weights(model, state).layout == "torchvision DeepLab v3"
    other = tfseg.create_model("resnet18_v1+deeplab_v3_refined", 7, **small)
    with pytest.raises(tfseg.TfsegError, match="new_head"):
        tfseg.load_weights(other, state)
    report = tfseg.load_weights(other, state, new_head=True)
    assert any("aux_classifier" in name for name in report.fresh)


def test_released_files_name_their_models():
    names = [name for name in zoo.RELEASES if name.endswith("_coco_voc")]
    assert len(names) == 4
    for name in names:
        release = zoo.RELEASES[name]
        assert release.model == name.removesuffix("_coco_voc") and release.num_classes == 21
        assert len(release.files[0].sha256) == 8
