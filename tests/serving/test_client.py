"""What people who don't have tfseg do with an export."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import tfseg

CLIENT = """
import json, sys
import numpy as np, tensorflow as tf

sys.modules["tfseg"] = None  # importing it fails from here on
model = tf.saved_model.load(sys.argv[1])
files = tf.io.read_file(sys.argv[2])[None]
answer = model.signatures["encoded"](image_bytes=files)["labels_bytes"]
labels = tf.io.decode_png(answer[0])[..., 0]
card = json.loads(tf.io.read_file(model.card.asset_path).numpy())
np.savez(sys.argv[3], labels=labels, classes=card["classes"])
assert not [name for name in sys.modules if name.startswith("tfseg.")]
"""


@pytest.fixture(scope="module")
def predictor(make_predictor):
    return make_predictor()


@pytest.fixture(scope="module")
def folder(predictor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "1"
    tfseg.export(predictor, folder)
    return folder


def call(command, folder):
    """Runs a command where tfseg can't be imported from the current folder or PYTHONPATH."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_plain_tensorflow(folder, predictor, picture, encode, tmp_path):
    image = picture(30, 44)
    (tmp_path / "image.jpg").write_bytes(encode(image, "JPEG"))
    (tmp_path / "client.py").write_text(CLIENT)
    call([sys.executable, "client.py", folder, "image.jpg", "answer.npz"], tmp_path)
    answer = np.load(tmp_path / "answer.npz")
    assert np.mean(answer["labels"] == predictor.predict(tmp_path / "image.jpg")) > 0.999
    assert answer["classes"].tolist() == predictor.spec.classes


@pytest.mark.slow
def test_saved_model_cli(folder, predictor, picture, tmp_path):
    cli = pathlib.Path(sys.executable).with_name("saved_model_cli")
    shown = call([cli, "show", "--dir", folder, "--all"], tmp_path)
    for line in ("shape: (-1, -1, -1, 3)", "signature_def['encoded']", "dtype: DT_UINT8"):
        assert line in shown
    image = picture(30, 44)
    np.save(tmp_path / "images.npy", image[None])
    call(
        [
            *(cli, "run", "--dir", folder, "--tag_set=serve", "--signature_def=serving_default"),
            *("--inputs=images=images.npy", "--outdir=."),
        ],
        tmp_path,
    )
    labels = np.load(tmp_path / "labels.npy")
    assert labels.shape == (1, 30, 44)
    assert np.mean(labels[0] == predictor.predict(image)) > 0.999
