"""A training step compiled with XLA is the same step, whatever decodes.

Loss and gradient norm are compared, on maps of more than a pixel, and without dropout, whose random
numbers are others under XLA.
"""

import pytest

from tfseg.decoders import DECODERS
from tfseg.training import train

# What doesn't stand on any encoder of residual stages.
ENCODER_OF = {"regseg": "regseg", "linear": "drn_d_22"}
SHALLOW = {"blocks": [1, 1, 1, 1]}


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS)
def test_xla_is_the_same_step(decoder, make_config, run_of):
    settings = {"steps": 1, "val_split": "", "crop_size": 64}
    row = DECODERS[decoder]
    if decoder not in ENCODER_OF:
        options = {**SHALLOW, "dropout": 0.0} if "dropout" in row.options else SHALLOW
        settings |= {"model": f"resnet18+{decoder}", "model_options": options}
    elif decoder == "regseg":
        settings |= {"model": "regseg", "model_options": {}}
    plain, compiled = make_config("plain", **settings), make_config("xla", xla=True, **settings)
    train(plain)
    train(compiled)
    (row,), (expected,) = run_of(compiled)[0], run_of(plain)[0]
    for name in ("loss", "gradient_norm"):
        assert row[name] == pytest.approx(expected[name], rel=1e-4), name
