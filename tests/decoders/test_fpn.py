"""The feature pyramid decoder: its sums, step by step, and a model over it."""

import numpy as np

import tfseg
from tfseg.decoders.fpn import FPN
from tfseg.layers import resize


def test_levels_are_brought_to_the_finest_and_summed(decoded, levels):
    decoder = FPN(5, levels, pyramid_width=4, width=3)
    x, y = decoded(decoder)
    pyramid = {}
    for level in (4, 3, 2, 1):
        pyramid[level] = decoder.laterals[level - 1](x[f"stage{level}"])
        if level < 4:
            size = x[f"stage{level}"].shape[1:3]
            pyramid[level] = pyramid[level] + resize(pyramid[level + 1], size)
    total = 0
    for level in (1, 2, 3, 4):
        maps = decoder.smooths[level - 1](pyramid[level])
        for finer, step in zip(range(level - 1, -1, -1), decoder.steps[level - 1], strict=False):
            size = x[f"stage{max(finer, 1)}"].shape[1:3]
            maps = resize(step(maps), size)
        total = total + maps
    assert [len(steps) for steps in decoder.steps] == [1, 1, 2, 3]
    assert y["logits"].shape == (2, 9, 9, 5)
    np.testing.assert_allclose(y["logits"], decoder.classifier(total), atol=1e-5)


def test_a_model_of_any_encoder():
    for name in ("resnet18_v1+fpn", "drn_a_18+fpn"):
        model = tfseg.create_model(name, 3, blocks=[1, 1, 1, 1])
        images = np.zeros((1, 33, 40, 3), np.float32)
        finest = model.encoder.strides[model.encoder.pyramid[0]]
        assert model(images)["logits"].shape == (1, -(-33 // finest), -(-40 // finest), 3)
