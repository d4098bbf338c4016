"""Atrous spatial pyramid pooling: its branches, and the rates that it takes."""

import numpy as np
import pytest

from tfseg import TfsegError
from tfseg.decoders.aspp import ASPP, check_rates


def test_branches_stand_side_by_side():
    layer = ASPP((2, 3), 4)
    x = np.random.default_rng(0).standard_normal((2, 6, 7, 5)).astype(np.float32)
    y = np.asarray(layer(x))
    assert y.shape == (2, 6, 7, 16) == layer.compute_output_shape(x.shape)
    for number, unit in enumerate(layer.units):
        np.testing.assert_allclose(y[..., 4 * number : 4 * number + 4], unit(x), atol=1e-5)
    assert [unit.conv.dilation_rate for unit in layer.units] == [1, 2, 3]
    image = layer.image(x.mean((1, 2), keepdims=True))
    np.testing.assert_allclose(y[..., 12:], np.broadcast_to(image, (2, 6, 7, 4)), atol=1e-5)


@pytest.mark.parametrize("rates", ["6", 6, None, (), (0,), (-1, 6), (True,), (1.5,), [6] * 33])
def test_bad_rates(rates):
    with pytest.raises(TfsegError, match="positive whole numbers"):
        check_rates(rates)
