"""RegSeg: the original's outputs, and what it takes no options of."""

import numpy as np
import pytest

import tfseg


def test_outputs_and_size_are_the_originals(golden, fill, reference_image, assert_close):
    model = tfseg.create_model("regseg", 5)
    for variable in model.variables:
        fan_in = int(np.prod(variable.shape[:-1]))
        variable.assign(fill(variable.path, tuple(variable.shape), fan_in))
    logits = model(reference_image(1, (1, 3, 65, 97)), training=False)["logits"]
    assert_close(np.asarray(logits).transpose(0, 3, 1, 2), golden("regseg")["logits"], 1e-4)
    weights = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    # 3.34 M with the 19 classes of Cityscapes, as published: 14 more have 65 weights each.
    assert weights + 14 * 65 == 3_334_951


def test_stages_and_a_short_one():
    encoder = tfseg.create_encoder("regseg", blocks=[1, 1, 3, 1])
    assert list(encoder.strides.values()) == [4, 8, 16, 16]
    shapes = encoder.compute_output_shape((2, 64, 96, 3))
    assert [shape[-1] for shape in shapes.values()] == [48, 128, 256, 320]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_stride": 8}, "regseg has output stride 16, not 8"),
        ({"multi_grid": [1]}, "multi_grid is no option of regseg"),
        ({"dilation_scheme": "hdc"}, "dilation_scheme is no option of regseg"),
        ({"blocks": [1, 3, 14, 1]}, "the third stage has 13 at most"),
    ],
)
def test_options_that_it_has_not(options, message):
    with pytest.raises(tfseg.TfsegError, match=message):
        tfseg.create_encoder("regseg", **options)
