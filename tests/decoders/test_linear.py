"""The smallest decoder is a matrix product at every place of the last level."""

import numpy as np

from tfseg.decoders import Linear


def test_scores_are_a_matrix_product(decoded, levels):
    decoder = Linear(5, levels)
    x, y = decoded(decoder)
    kernel, bias = (np.asarray(variable) for variable in decoder.classifier.variables)
    np.testing.assert_allclose(y["logits"], x["stage4"] @ kernel[0, 0] + bias, atol=1e-5)
