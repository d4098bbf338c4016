"""The rows' arguments are those of the layers that they name."""

import inspect

import pytest

from tfseg.decoders import DECODERS, Decoder


@pytest.mark.parametrize("name", list(DECODERS))
def test_arguments(name, levels):
    row = DECODERS[name]
    decoder = row.load()
    assert issubclass(decoder, Decoder)
    # Of the class itself, Python 3.10 sees Keras' `__new__`.
    known = set(inspect.signature(decoder.__init__).parameters)
    assert {*row.fixed, *row.options, *row.at_stride_8} <= known
    outputs = decoder(5, levels, **row.fixed).output_levels
    assert set(row.loss_weights) == set(outputs)
