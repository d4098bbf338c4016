"""DeepLab v3 and v3+: context, and detail beside it."""

import numpy as np
import pytest

import tfseg
from tfseg.decoders import DeepLabV3, DeepLabV3Plus
from tfseg.layers import resize


def test_context_is_scored(decoded, levels):
    decoder = DeepLabV3(5, levels, atrous_rates=(1, 2), width=4)
    x, y = decoded(decoder)
    expected = decoder.classifier(decoder.fuse(decoder.aspp(x["stage4"])))
    np.testing.assert_allclose(y["logits"], expected, atol=1e-5)


def test_context_is_refined_beside_the_finest_level(decoded, levels):
    decoder = DeepLabV3Plus(5, levels, atrous_rates=(1, 2), width=4, low_level_width=3)
    x, y = decoded(decoder)
    context = resize(decoder.fuse(decoder.aspp(x["stage4"])), (9, 9))
    maps = np.concatenate([context, decoder.reduce(x["stage1"])], -1)
    expected = decoder.classifier(decoder.refine2(decoder.refine1(maps)))
    np.testing.assert_allclose(y["logits"], expected, atol=1e-5)


@pytest.mark.parametrize("decoder", ["deeplab_v3", "deeplab_v3plus"])
@pytest.mark.parametrize("stride, rates", [(16, (6, 12, 18)), (8, (12, 24, 36))])
def test_atrous_rates_follow_the_output_stride(decoder, stride, rates):
    options = {"blocks": [1, 1, 1, 1], "output_stride": stride}
    model = tfseg.create_model(f"resnet18_v1+{decoder}", 5, **options)
    assert tuple(model.decoder.aspp.atrous_rates) == rates
    model = tfseg.create_model(f"resnet18_v1+{decoder}", 5, atrous_rates=[2, 4], **options)
    assert tuple(model.decoder.aspp.atrous_rates) == (2, 4)
