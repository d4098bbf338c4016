"""UPerNet: pooled top, sums downwards, fusion at the finest level."""

import numpy as np

from tfseg.decoders import UPerNet
from tfseg.layers import resize


def test_levels_are_summed_downwards_and_fused(decoded, levels):
    decoder = UPerNet(5, levels, bins=(1, 2), width=4, pyramid_width=6)
    x, y = decoded(decoder)
    assert decoder.pooling.resize_first  # as its code does, and PSPNet's doesn't
    maps = decoder.top(decoder.pooling(x["stage4"]))
    pyramid = [resize(maps, (9, 9))]
    for level, size in ((3, 3), (2, 5), (1, 9)):
        lateral = decoder.laterals[level - 1](x[f"stage{level}"])
        maps = lateral + resize(maps, (size, size))
        pyramid.insert(0, resize(decoder.smooths[level - 1](maps), (9, 9)))
    expected = decoder.classifier(decoder.fuse(np.concatenate(pyramid, -1)))
    assert y["logits"].shape == (2, 9, 9, 5)
    np.testing.assert_allclose(y["logits"], expected, atol=1e-5)
