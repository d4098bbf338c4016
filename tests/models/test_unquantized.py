"""Keras' own quantization is refused by every kind of model."""

import pytest

import tfseg


@pytest.mark.parametrize("create", [tfseg.create_model, tfseg.create_classifier])
def test_quantize_is_refused(create):
    with pytest.raises(tfseg.TfsegError, match='format="tflite_int8"'):
        create("drn_c_26", 3).quantize("int8")
