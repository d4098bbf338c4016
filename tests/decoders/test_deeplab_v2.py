"""DeepLab v2 sums the scores of convolutions of different dilation."""

import numpy as np
import pytest

from tfseg import TfsegError
from tfseg.decoders import DeepLabV2
from tfseg.layers import convolve


def test_scores_are_summed(decoded, levels):
    decoder = DeepLabV2(5, levels, atrous_rates=(1, 2))
    x, y = decoded(decoder)
    pairs = zip((1, 2), decoder.branches, strict=True)
    expected = sum(convolve(x["stage4"], one.kernel, 1, rate) + one.bias for rate, one in pairs)
    np.testing.assert_allclose(y["logits"], expected, atol=1e-5)


def test_the_first_kernels_are_the_authors(levels):
    shapes = dict.fromkeys(levels, (None, None, None, 256))
    for name, deviation in (("normal", 0.01), ("glorot_uniform", (2 / (9 * 261)) ** 0.5)):
        decoder = DeepLabV2(5, levels, atrous_rates=(6,), head_initializer=name)
        decoder.build(shapes)
        assert np.std(decoder.branches[0].kernel) == pytest.approx(deviation, rel=0.05)
    with pytest.raises(TfsegError, match="did you mean normal"):
        DeepLabV2(5, levels, head_initializer="normel")
