"""Several files, shapes before data, and what a model is told about its preprocessing."""

import collections.abc
import pathlib

import numpy as np
import pytest

import tfseg
from tfseg.models import PREPROCESSINGS, ModelSpec, Preprocessing, Segmenter
from tfseg.weights import readers, save_weights, to_original
from tfseg.weights.readers import hdf5

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
ADE20K = "resnet18_dilated8+c1_bilinear_deepsup"
FOUR = {"blocks": [1, 1, 1, 1]}
TINY = {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}


class Lazy(collections.abc.Mapping):
    """Arrays that know their shapes, count how often they are read, and may break."""

    def __init__(self, arrays, broken=None):
        self.arrays, self.broken, self.reads = arrays, broken, 0

    def __getitem__(self, name):
        self.reads += 1
        if name == self.broken:
            raise tfseg.TfsegError("the disk is gone")
        return self.arrays[name]

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self):
        return len(self.arrays)

    def __contains__(self, name):
        return name in self.arrays

    def shape(self, name):
        return self.arrays[name].shape


def _values(model):
    return [variable.numpy() for variable in model.variables]


def _assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def ade20k():
    model = tfseg.create_model(ADE20K, 5, **FOUR)
    whole = to_original(model)
    parts = {
        part: {
            name.removeprefix(f"{part}."): array
            for name, array in whole.items()
            if name.startswith(part)
        }
        for part in ("encoder", "decoder")
    }
    return model, parts


def test_encoder_and_decoder_files(tmp_path, write_pytorch, ade20k):
    model, parts = ade20k
    paths = [write_pytorch(tmp_path / f"{part}.pth", state, True) for part, state in parts.items()]
    for source in (paths, paths[::-1], ",".join(map(str, paths)), list(parts.values())):
        other = tfseg.create_model(ADE20K, 5, **FOUR)
        report = tfseg.load_weights(other, source)
        assert report.layout == "ADE20K C1 files"
        assert report.preprocessing == PREPROCESSINGS["ade20k"]
        _assert_equal(_values(model)[:-1], _values(other)[:-1])


def test_lone_encoder_file(tmp_path, write_pytorch, ade20k):
    model, parts = ade20k
    path = write_pytorch(tmp_path / "encoder.pth", parts["encoder"])
    other = tfseg.create_model("resnet18_dilated8+ppm_bilinear", 3, **FOUR)
    with pytest.raises(tfseg.TfsegError, match=r"an encoder alone: .*new_head"):
        tfseg.load_weights(other, path)
    for source in (path, [path]):
        report = tfseg.load_weights(other, source, new_head=True)
        assert all(name.startswith("decoder/") for name in report.fresh)
    _assert_equal(_values(model.encoder), _values(other.encoder))


@pytest.mark.parametrize("new_head", [False, True])
def test_lone_decoder_file(ade20k, new_head):
    _, parts = ade20k
    for classes in (5, 4):
        other = tfseg.create_model(ADE20K, classes, **FOUR)
        with pytest.raises(tfseg.TfsegError, match="a decoder alone: give the encoder's file"):
            tfseg.load_weights(other, parts["decoder"], new_head)


def test_decoder_of_another_kind(ade20k):
    _, parts = ade20k
    plain = tfseg.create_model("resnet18_dilated8+c1_bilinear", 5, **FOUR)
    for model, message in (
        (plain, "no place for a part of its head"),
        (plain.encoder, "no place for a part of its head"),
        (tfseg.create_model("resnet18_dilated8+ppm_bilinear", 5, **FOUR), "another decoder"),
    ):
        with pytest.raises(tfseg.TfsegError, match=message):
            tfseg.load_weights(model, list(parts.values()))
        tfseg.load_weights(model, list(parts.values()), new_head=True)


def test_imagenet_classifier_starts_an_ade20k_model():
    classifier = tfseg.create_classifier("resnet18", 7, **FOUR)
    model = tfseg.create_model(ADE20K, 5, **FOUR)
    report = tfseg.load_weights(model, to_original(classifier), new_head=True)
    assert {"fc.weight", "fc.bias"} <= report.skipped.keys()
    _assert_equal(_values(model.encoder), _values(classifier.encoder))


def test_lists_that_make_no_sense(tmp_path, write_pytorch, ade20k):
    model, parts = ade20k
    path = write_pytorch(tmp_path / "encoder.pth", parts["encoder"])
    for source, message in (
        ([path, path.with_name("absent.pth")], "No such file"),
        ([parts["encoder"], parts["encoder"]], "conv1.weight is both in part 1 and in part 2"),
        ([path, tmp_path], "holds a whole model"),
        ([path, path], "named twice"),
        ([], "no file of weights"),
    ):
        with pytest.raises(tfseg.TfsegError, match=message):
            tfseg.load_weights(model, source)


def test_shapes_are_compared_before_anything_is_read():
    model = tfseg.create_model("drn_d_22", 5, **TINY)
    state = to_original(model)
    source = Lazy({**state, "seg.weight": state["seg.weight"][:3]})
    with pytest.raises(tfseg.TfsegError, match="1 shape differs"):
        tfseg.load_weights(model, source)
    assert source.reads == 0
    source = Lazy(state)
    report = tfseg.load_weights(model, source)
    assert source.reads == len(report.loaded)


def test_a_source_that_breaks_halfway_changes_nothing():
    model = tfseg.create_model("drn_d_22", 5, **TINY)
    before = _values(model)
    state = {name: array + 1 for name, array in to_original(model).items()}
    with pytest.raises(tfseg.TfsegError, match="the disk is gone"):
        tfseg.load_weights(model, Lazy(state, "seg.bias"))
    _assert_equal(before, _values(model))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_float_types(dtype):
    model = tfseg.create_model("drn_d_22", 5, **TINY)
    state = {name: array.astype(dtype) for name, array in to_original(model).items()}
    tfseg.load_weights(model, state)
    kernel = model.encoder.get_layer("stem").conv.kernel
    expected = state["base.0.0.weight"].astype(np.float32).transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel, expected)


def test_another_variant_is_named():
    state = to_original(tfseg.create_model("drn_d_38", 5))
    with pytest.raises(tfseg.TfsegError, match=r"its layers are those of drn_d_38$"):
        tfseg.load_weights(tfseg.create_model("drn_d_22", 5), state)


def test_another_stem_is_named():
    state = to_original(tfseg.create_classifier("resnet18_v1"))
    with pytest.raises(tfseg.TfsegError, match=r"drn_a_18 or resnet18_v1 \(the stems differ\)"):
        tfseg.load_weights(tfseg.create_classifier("resnet18"), state)


def test_class_counts_of_several_heads(ade20k):
    _, parts = ade20k
    with pytest.raises(tfseg.TfsegError, match="it has 5 classes, the model 4"):
        tfseg.load_weights(tfseg.create_model(ADE20K, 4, **FOUR), list(parts.values()))


def test_own_files_don_t_build_a_second_model(tmp_path, monkeypatch):
    model = tfseg.create_model("drn_d_22", 5, **TINY, freeze_batch_norm="all")
    bgr = PREPROCESSINGS["caffe"]
    save_weights(model, tmp_path / "best.weights.h5", bgr)
    ModelSpec("drn_d_22", 5, TINY, Preprocessing()).save(tmp_path / "model.json")
    other = tfseg.create_model("drn_d_22", 5, **TINY)
    monkeypatch.setattr(Segmenter, "__init__", None)
    for source in (tmp_path, tmp_path / "best.weights.h5"):
        report = tfseg.load_weights(other, source)
        _assert_equal(_values(model), _values(other))
        assert len(report.loaded) == len(model.variables) and report.preprocessing == bgr


def test_own_file_that_breaks_halfway_changes_nothing(tmp_path, monkeypatch):
    model = tfseg.create_model("drn_d_22", 5, **TINY)
    path = tmp_path / "model.weights.h5"
    save_weights(model, path)
    before = _values(model)

    read = hdf5._Walk._read

    def breaks(walk, array, name):
        if name == "decoder/classifier/0":
            raise tfseg.TfsegError("can't read data")
        return read(walk, array, name) + 1

    monkeypatch.setattr(hdf5._Walk, "_read", breaks)
    with pytest.raises(tfseg.TfsegError, match="can't read data"):
        tfseg.load_weights(model, path)
    _assert_equal(before, _values(model))


def _caffe_layers(state):
    """The layers of a .caffemodel, three times as the multi-scale networks have them."""
    layers = {}
    for name, array in state.items():
        layers.setdefault(name.rpartition("/")[0], []).append(array)
    for suffix in ("", "_res075", "_res05"):
        for layer, arrays in layers.items():
            kind = {"bn": "BatchNorm", "sc": "Scale"}.get(layer[:2], "Convolution")
            if kind == "BatchNorm":
                arrays = [*(array * np.float32(4) for array in arrays), np.full(1, 4, np.float32)]
            yield layer + suffix, kind, arrays


def test_file_written_by_caffe(original_weights):
    model = tfseg.create_model("deeplab_v2_resnet101", 21, **FOUR)
    tfseg.load_weights(model, original_weights(model, "DeepLab v1/v2"))
    expected = to_original(model, "Caffe DeepLab v2")
    weights = readers.read(GOLDEN / "files" / "tiny.caffemodel")
    assert len(weights) == 15 and weights.layer_types["scale2a_branch1"] == "Scale"
    for name in weights:
        # Dividing by the factor of a batch norm's statistics may cost their last bit.
        tolerance = 2e-7 if name.startswith("bn") else 0
        np.testing.assert_allclose(weights[name], expected[name], tolerance)


def test_caffe_networks(tmp_path, write_caffe):
    two = tfseg.create_model("deeplab_v2_resnet101", 21, **FOUR)
    state = to_original(two, "Caffe DeepLab v2")
    assert {"scale2a_branch1/0", "bn5a_branch2c/1", "fc1_voc12_c3/1"} <= state.keys()
    ordered = dict(sorted(state.items()))
    path = write_caffe(tmp_path / "train2.caffemodel", list(_caffe_layers(ordered)))
    other = tfseg.create_model("deeplab_v2_resnet101", 21, **FOUR)
    report = tfseg.load_weights(other, path)
    _assert_equal(_values(two), _values(other))
    assert report.preprocessing == PREPROCESSINGS["caffe"]
    assert len(report.skipped) == 2 * len(state)

    one = tfseg.create_model("deeplab_v1_resnet101", 91, **FOUR)
    ordered = dict(sorted(to_original(one, "Caffe DeepLab v1").items()))
    path = write_caffe(tmp_path / "init.caffemodel", list(_caffe_layers(ordered)))
    other = tfseg.create_model("deeplab_v1_resnet101", 91, **FOUR)
    tfseg.load_weights(other, path)
    _assert_equal(_values(one), _values(other))
    report = tfseg.load_weights(two, path, new_head=True)
    assert len(report.fresh) == 8
    _assert_equal(_values(one.encoder), _values(two.encoder))
