"""Effective receptive fields: their numbers on known fields, and those of known networks."""

import json

import numpy as np
import pytest
from PIL import Image

import tfseg
from tfseg import cli
from tfseg.encoders.encoder import Encoder, Stage, Stem
from tfseg.evaluation.receptive_field import (
    ReceptiveField,
    dilation_periods,
    picture,
    receptive_field,
)
from tfseg.layers import sublayers


def _field(mass, centre=(8, 8)):
    mass = np.asarray(mass, np.float64)
    return ReceptiveField(mass / mass.sum(), centre)


def _noise(*shape):
    return [np.random.default_rng(0).standard_normal(shape).astype(np.float32)]


@pytest.mark.parametrize("period", [2, 3, 4])
def test_gridding_of_known_fields(period):
    grid = np.zeros((24, 24))
    grid[1::period, 1::period] = 1
    assert _field(grid).gridding(period) == pytest.approx(1)
    assert _field(np.ones((24, 24))).gridding(period) == pytest.approx(0, abs=1e-12)
    outline = np.outer(np.hanning(24), np.hanning(24))
    assert _field(grid * outline).gridding(period) == pytest.approx(1)
    assert _field(outline).gridding(period) < 0.01


def test_gridding_is_spectral_energy_at_the_rate():
    """The index against its definition: the spectrum at the multiples of 1 / period."""
    mass, period = np.random.default_rng(0).random((24, 24)) ** 4, 4
    energy = np.abs(np.fft.fft2(mass)) ** 2
    harmonics = energy[:: 24 // period, :: 24 // period] / energy[0, 0]
    expected = (harmonics.sum() - 1) / (period**2 - 1)
    assert _field(mass).gridding(period) == pytest.approx(expected)


def test_radius_holds_its_share():
    rows, columns = np.indices((17, 17)) - 8
    field = _field(np.hypot(rows, columns) <= 5)
    assert field.radius(1.0) == 5
    assert field.radius(0.5) == pytest.approx(5 * np.sqrt(0.5), abs=0.5)
    assert _field(np.eye(17)[8][:, None] * np.eye(17)[8]).radius() == 0


def _stack(**smoothing):
    """Two plain convolutions of rate 4: their outputs see every fourth pixel alone."""
    stages = [Stage("conv", 6, ((1, 1),)), Stage("conv", 6, ((4, 4), (4, 4)))]
    pyramid = ("stage1", "stage1", "stage1", "stage2")
    return Encoder(Stem(((4, 3, 1),)), stages, pyramid, smoothing=smoothing)


def test_field_of_a_stack_of_dilated_convolutions():
    encoder, images = _stack(), _noise(2, 41, 33, 3)
    field = receptive_field(encoder, images, "stage2", "stage1")
    assert field.centre == (20, 16) and field.mass.shape == (41, 33)
    assert field.mass.sum() == pytest.approx(1)
    rows, columns = np.nonzero(field.mass)
    assert set(rows) == {12, 16, 20, 24, 28} and set(columns) == {8, 12, 16, 20, 24}
    assert dilation_periods(encoder, "stage1") == [4]
    assert field.gridding(4) == pytest.approx(1)
    # The two 3x3 convolutions before them make it three pixels wide each.
    whole = receptive_field(encoder, images, "stage2")
    assert set(np.nonzero(whole.mass)[0]) == set(range(10, 31))


def test_filters_fill_the_grid():
    images, gridding = _noise(1, 41, 41, 3), {}
    for name in ("regular", "smooth_SSC", "gaussian_filter", "average_filter"):
        encoder = _stack(dilated_type=name)
        for layer in sublayers(encoder):
            if getattr(layer, "ssc", None) is not None:
                layer.ssc.assign_add(np.full(layer.ssc.shape, 0.05, np.float32))
        gridding[name] = receptive_field(encoder, images, "stage2", "stage1").gridding(4)
    assert gridding["regular"] == pytest.approx(1)
    assert max(value for name, value in gridding.items() if name != "regular") < 0.4
    assert gridding["average_filter"] < gridding["gaussian_filter"]


def test_strided_models_and_their_centre():
    model = tfseg.create_model("drn_d_22", 3, blocks=[1, 1, 1, 1, 1, 1, 1, 1])
    field = receptive_field(model, _noise(1, 128, 96, 3), "logits")
    assert field.mass.shape == (128, 96) and field.centre == (64, 48)
    assert dilation_periods(model) == [16, 32] and dilation_periods(model, "stage4") == [2, 4]
    # About its own centre it is as wide above as below.
    above, below = field.mass[:64].sum(), field.mass[65:].sum()
    assert above == pytest.approx(below, rel=0.35)


@pytest.mark.parametrize(
    "output, source, words",
    [
        ("stage9", "images", "unknown output 'stage9'"),
        ("stage2", "stage7", "unknown source 'stage7'; did you mean"),
        ("stage1", "stage2", "not computed from stage2"),
    ],
)
def test_bad_names(output, source, words):
    with pytest.raises(tfseg.TfsegError, match=words):
        receptive_field(_stack(), _noise(1, 9, 9, 3), output, source)


def test_picture_has_the_centre_in_the_middle():
    rows, columns = np.indices((17, 17)) - 8
    # The field is cut off at the border of its map; the picture goes on in black.
    field = _field(np.exp(-np.hypot(rows + 5, columns)), (3, 8))
    image = picture([field], [""], reach=10, side=42).astype(int)
    drawn = np.argwhere(image.sum(-1) < 765)
    brightest = np.argwhere((image == [255, 255, 220]).all(-1))
    assert np.ptp(drawn, axis=0).tolist() == [41, 41] and len(brightest) == 4
    np.testing.assert_allclose(brightest.mean(0), drawn.mean(0), atol=0.5)
    several = picture([field] * 3, ["a", "b", "c"], reach=10, columns=2, side=42)
    assert several.shape[0] == 2 * image.shape[0]


def test_tool(tmp_path, capfd):
    command = ["receptive_field", "--model=resnet50_caffe", "--image_size=65"]
    command += ["--model_option=blocks=1,1,1,1", "--num_images=1", "--source=stage2"]
    command.append("--model_option=output_stride=8")
    outputs = [f"--picture={tmp_path}/field.png", f"--json={tmp_path}/field.json"]
    types = "--dilated_types=regular,average_filter"
    code = cli.main([*command, *outputs, types])
    done = capfd.readouterr()
    assert code == 0, done.err
    assert "regular" in done.out and "gridding at 4" in done.out
    values = json.loads((tmp_path / "field.json").read_text())
    regular, average = values["fields"]
    assert average["gridding"]["4"] < regular["gridding"]["4"] and regular["r95"] > 0
    assert Image.open(tmp_path / "field.png").size[0] > 480
