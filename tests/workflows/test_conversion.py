"""Weights of other programs to ours, and back; the verb does the same."""

import keras
import numpy as np
import pytest

import tfseg
from tfseg.cli import main
from tfseg.weights import readers
from tfseg.workflows import convert

OPTIONS = {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}


def test_there_and_back(tmp_path, capsys):
    ours, theirs = str(tmp_path / "ours.weights.h5"), str(tmp_path / "theirs.safetensors")
    again = str(tmp_path / "again.weights.h5")
    keras.utils.set_random_seed(1)
    model = tfseg.create_model("drn_d_22", 3, **OPTIONS)
    tfseg.weights.save_weights(model, ours)
    convert(ours, theirs, "drn_d_22", 3, OPTIONS)
    assert {"base.0.0.weight", "seg.bias"} <= set(readers.read(theirs))
    arguments = ["--model=drn_d_22", "--num_classes=3", "--model_option=blocks=1,1,1,1,0,0,0,1"]
    assert not main(["convert", *arguments, f"--output={again}", theirs])
    assert again in capsys.readouterr().out
    expected, found = (
        {variable.path: np.asarray(variable) for variable in network.variables}
        for network in (model, _loaded(again))
    )
    assert expected.keys() == found.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value)


def _loaded(path):
    keras.utils.set_random_seed(2)
    model = tfseg.create_model("drn_d_22", 3, **OPTIONS)
    tfseg.load_weights(model, path)
    return model


def test_nothing_is_read_or_replaced_by_mistake(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"mine")
    with pytest.raises(tfseg.TfsegError, match=r"neither \*.weights.h5 nor"):
        convert(str(path), str(tmp_path / "out.pth"), "drn_d_22", 3)
    with pytest.raises(tfseg.TfsegError, match="mine"):
        convert(str(path), str(path), "drn_d_22", 3)
    assert path.read_bytes() == b"mine"
