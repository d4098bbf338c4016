"""The feature pyramid decoder: its sums, step by step, and a model over it."""

import keras
import numpy as np

import tfseg
from tfseg.decoders.fpn import FPN
from tfseg.layers import resize


def test_levels_are_brought_to_the_finest_and_summed(tmp_path):
    sizes = {"stage1": (9, 4), "stage2": (5, 8), "stage3": (3, 8), "stage4": (3, 6)}
    rng = np.random.default_rng(0)
    x = {n: rng.standard_normal((2, s, s, c)).astype(np.float32) for n, (s, c) in sizes.items()}
    inputs = {name: keras.Input((None, None, c), name=name) for name, (_, c) in sizes.items()}
    decoder = FPN(5, list(sizes), pyramid_width=4, width=3, name="decoder")
    model = keras.Model(inputs, decoder(inputs))
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
    y = model(x)["logits"]
    assert (
        y.shape
        == (2, 9, 9, 5)
        == decoder.compute_output_shape({name: value.shape for name, value in x.items()})["logits"]
    )
    np.testing.assert_allclose(y, decoder.classifier(total), atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x)["logits"], y)


def test_a_model_of_any_encoder():
    for name in ("resnet18_v1+fpn", "drn_a_18+fpn"):
        model = tfseg.create_model(name, 3, blocks=[1, 1, 1, 1])
        images = np.zeros((1, 33, 40, 3), np.float32)
        finest = model.encoder.strides[model.encoder.pyramid[0]]
        assert model(images)["logits"].shape == (1, -(-33 // finest), -(-40 // finest), 3)
