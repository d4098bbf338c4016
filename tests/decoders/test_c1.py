"""The plain decoder of the ADE20K models, and the branch of deep supervision."""

import keras
import numpy as np
import pytest

from tfseg.decoders import C1


def test_a_quarter_of_the_channels_then_scores(decoded, levels):
    decoder = C1(5, levels, deep_supervision=True, dropout=0.5)
    x, y = decoded(decoder)
    assert decoder.reduce(x["stage4"]).shape == (2, 3, 3, 3)
    expected = decoder.classifier(decoder.reduce(x["stage4"]))
    np.testing.assert_allclose(y["logits"], expected, atol=1e-5)
    assert decoder.aux_conv(x["stage3"]).shape == (2, 3, 3, 3)  # of the last level's channels
    expected = decoder.aux_classifier(decoder.aux_conv(x["stage3"]))
    np.testing.assert_allclose(y["aux_logits"], expected, atol=1e-5)


def test_dropout_is_for_training(levels):
    decoder = C1(5, levels, dropout=0.5)
    x = {name: np.ones((1, 3, 3, 8), np.float32) for name in levels}
    scores = decoder(x, training=False)
    assert list(scores) == ["logits"]
    np.testing.assert_array_equal(decoder(x, training=False)["logits"], scores["logits"])
    keras.utils.set_random_seed(0)
    drawn = {np.asarray(decoder(x, training=True)["logits"]).tobytes() for _ in range(4)}
    assert len(drawn) > 1


@pytest.mark.parametrize("supervised", [False, True])
def test_the_branch_is_made_where_it_is_asked_for(levels, supervised):
    decoder = C1(5, levels, deep_supervision=supervised)
    decoder.build(dict.fromkeys(levels, (None, None, None, 8)))
    aux = [variable.path for variable in decoder.variables if "aux" in variable.path]
    assert bool(aux) == supervised
