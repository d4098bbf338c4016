"""Keras files are untrusted, too: shapes before data, and one line for all that isn't as it was."""

import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfseg
from tfseg.weights import find_spec, readers, save_weights
from tfseg.weights.readers import hdf5

TINY = {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}
KERNEL = "layers/linear/classifier/vars/0"
# The test function's files are written anew in each example.
per_example = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def model():
    return tfseg.create_model("drn_d_22", 5, **TINY)


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("hdf5") / "whole.weights.h5"
    save_weights(model, path)
    return path.read_bytes()


def _refused(model, path):
    before = [variable.numpy() for variable in model.variables]
    with pytest.raises(tfseg.TfsegError) as caught:
        tfseg.load_weights(model, path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 800
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    return message


def _huge(file, **how):
    del file[KERNEL]
    file.create_dataset(KERNEL, (28_000, 28_000), "f4", **how)


def _external(file):
    del file[KERNEL]
    file.create_dataset(KERNEL, (1, 1, 512, 5), "f4", external=[("/dev/zero", 0, 10240)])


def _link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/")


def _circle(file):
    file["layers/circle"] = file["layers"]


def _text(file):
    del file[KERNEL]
    file[KERNEL] = ["a", "b"]


def _name(file):
    file["layers/linear/vars"].attrs["name"] = np.arange(10)


HARM = {
    "declared": (_huge, "declared larger"),
    "pieces": (lambda file: _huge(file, chunks=(1000, 1000)), "in pieces"),
    "compressed": (lambda file: _huge(file, compression="gzip"), "compressed"),
    "external": (_external, "another file"),
    "link": (_link, "points to elsewhere"),
    "circle": (_circle, "nested too deeply"),
    "text": (_text, "does not hold numbers"),
    "name": (_name, "isn't a short text"),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_harmful_files(model, whole, tmp_path, harm, suffix):
    path = tmp_path / f"harm{suffix}"
    path.write_bytes(whole)
    change, message = HARM[harm]
    with h5py.File(path, "r+") as file:
        change(file)
    if suffix == ".keras":
        inner = path.read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", inner)
    assert message in _refused(model, path)


def test_arrays_of_another_shape_are_not_read(model, whole, tmp_path, monkeypatch):
    path = tmp_path / "shape.weights.h5"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file[KERNEL] = np.zeros((3, 3), np.float32)
    monkeypatch.setattr(hdf5._Walk, "_read", None)
    assert "1 shape differs (decoder/classifier/kernel is [3, 3]" in _refused(model, path)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "nothing",
        "[" * 100_000,
        " " * (2 << 20),
        "[]",
        '{"registered_name": "tfseg>Segmenter", "config": 7}',
        '{"registered_name": "tfseg>Segmenter", "config": {"model": [], "num_classes": {}}}',
    ],
)
def test_odd_configs_of_keras_files(model, whole, tmp_path, config):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", whole)
    _refused(model, path)


def test_a_compressed_keras_file(model, whole, tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", whole)
    assert "compressed" in _refused(model, tmp_path / "model.keras")


def test_an_optimizer_s_state_is_left_out(model, tmp_path):
    import keras

    other = tfseg.create_model("drn_d_22", 5, **TINY)
    other.compile(keras.optimizers.SGD(momentum=0.9), "mse", metrics=["mae"])
    other.optimizer.build(other.trainable_variables)
    other.save(tmp_path / "model.keras")
    report = tfseg.load_weights(model, tmp_path / "model.keras")
    assert len(report.loaded) == len(model.variables)
    assert set(report.skipped.values()) == {"state of the training, not a weight"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "classifier": values | st.just(False),
        "name": values | st.just("drn_d_22"),
        "num_classes": values | st.integers(0, 9),
        "options": values | st.just({}),
        "preprocessing": values | st.just({}),
        "keras": values,
    },
)


@per_example
@given(values | entries)
def test_any_recipe(tmp_path, recipe):
    path = tmp_path / "any.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/a/vars/0"] = np.zeros(3, np.float32)
        file.attrs[hdf5.RECIPE] = json.dumps(recipe)[:60_000]
    try:
        find_spec(path)
    except tfseg.TfsegError as error:
        assert "\n" not in str(error)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.weights.h5"
    with h5py.File(path, "w") as file:
        for layer in ("conv", "bn"):
            group = file.create_group(f"layers/{layer}/vars")
            group.attrs["name"] = layer
            group["0"] = np.ones((2, 3), np.float32)
        file.attrs[hdf5.RECIPE] = "null"
    return path.read_bytes()


@per_example
@given(st.data())
def test_damaged_bytes(small, tmp_path, data):
    damaged = bytearray(small[: data.draw(st.integers(0, len(small)) | st.just(len(small)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.weights.h5"
    path.write_bytes(damaged)
    try:
        weights, _ = hdf5.read(path)
        for name in weights:
            assert weights[name].nbytes <= len(small)
    except readers.ReadError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "first", ["import tfseg, keras", pytest.param("import keras, tfseg", marks=pytest.mark.slow)]
)
def test_keras_files_load_after_import_tfseg_alone(model, tmp_path, first):
    model.save(tmp_path / "model.keras")
    code = f"{first}; print(keras.models.load_model({str(tmp_path / 'model.keras')!r}).num_classes)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "5", done.stderr
