"""Pyramid pooling: grids beside the input, and the decoder over it."""

import numpy as np
import pytest

from tfseg.decoders import PPM
from tfseg.decoders.ppm import PyramidPooling
from tfseg.layers import resize


def _cells(x, bins):
    """Averages over a grid, whose cells overlap where it doesn't divide the map."""
    size = x.shape[1]
    edges = [(i * size // bins, -(-(i + 1) * size // bins)) for i in range(bins)]
    rows = [[x[:, t:b, lt:r].mean((1, 2)) for lt, r in edges] for t, b in edges]
    return np.stack([np.stack(row, 1) for row in rows], 1)


@pytest.mark.parametrize("resize_first", [False, True])
def test_grids_stand_beside_the_input(resize_first):
    layer = PyramidPooling((1, 2, 3), 4, resize_first)
    x = np.random.default_rng(0).standard_normal((2, 5, 5, 6)).astype(np.float32)
    y = layer(x)
    parts = [x]
    for bins, unit in zip((1, 2, 3), layer.units, strict=True):
        grid = _cells(x, bins).astype(np.float32)
        parts.append(unit(resize(grid, (5, 5))) if resize_first else resize(unit(grid), (5, 5)))
    np.testing.assert_allclose(y, np.concatenate(parts, -1), atol=1e-5)


def test_scores_come_of_the_fused_grids(decoded, levels):
    decoder = PPM(5, levels, deep_supervision=True, width=4, bins=(1, 2))
    x, y = decoded(decoder)
    expected = decoder.classifier(decoder.fuse(decoder.pooling(x["stage4"])))
    np.testing.assert_allclose(y["logits"], expected, atol=1e-5)
    assert y["aux_logits"].shape == (2, 3, 3, 5)
