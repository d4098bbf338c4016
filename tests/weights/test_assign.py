"""Strict loading: what fits is loaded, what doesn't is named, and failure changes nothing."""

import os
import pathlib
import pickle
import re

import numpy as np
import pytest

import tfseg
from tfseg.weights import save_weights
from tfseg.weights.layouts.layout import Layout

TINY = {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}


@pytest.fixture
def model():
    return tfseg.create_model("drn_d_22", 5, **TINY)


@pytest.fixture
def source(model, original_weights):
    return original_weights(model, "DRN segmenter")


def _snapshot(model):
    return [variable.numpy() for variable in model.variables]


def _fails(model, source, *words, **kwargs):
    before = _snapshot(model)
    with pytest.raises(tfseg.TfsegError) as caught:
        tfseg.load_weights(model, source, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    for old, new in zip(before, _snapshot(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_every_variable_is_set(model, source):
    report = tfseg.load_weights(model, source)
    assert len(report.loaded) == len(model.variables)
    kernel = model.encoder.get_layer("stem").conv.kernel
    np.testing.assert_array_equal(kernel, source["base.0.0.weight"].transpose(2, 3, 1, 0))


def test_counters_are_left_out_with_a_reason(model, source):
    source["base.0.1.num_batches_tracked"] = np.int64(3)
    report = tfseg.load_weights(model, source)
    assert list(report.skipped) == ["base.0.1.num_batches_tracked"]


@pytest.mark.parametrize("prefix", ["module.", "module._orig_mod.", "model.", "a/b.c."])
def test_any_prefix_that_all_names_share_is_taken_off(model, source, prefix):
    wrapped = {f"{prefix}{name}": value for name, value in source.items()}
    tfseg.load_weights(model, wrapped)
    for part in (dict(list(source.items())[:9]), dict(list(source.items())[9:])):
        _fails(model, {f"{prefix}{name}": value for name, value in part.items()}, "not in it")
    halves = [dict(list(wrapped.items())[:9]), dict(list(source.items())[9:])]
    assert len(tfseg.load_weights(model, halves).loaded) == len(model.variables)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_values_that_are_no_numbers(model, source, value, word):
    source["base.3.0.conv1.weight"].flat[7] = value
    _fails(model, source, "base.3.0.conv1.weight", word)


@pytest.fixture(scope="module")
def resnet():
    return tfseg.create_model("resnet18_v1+deeplab_v3", 5, blocks=[1, 1, 1, 1])


# What stands beside the encoder in other libraries' files.
LIBRARIES = {
    "torchvision": ("backbone.", ("classifier.0.convs.0.0.weight", "aux_classifier.4.bias")),
    "segmentation_models_pytorch": ("encoder.", ("decoder.a.weight", "segmentation_head.0.bias")),
    "MMSegmentation": ("backbone.", ("decode_head.conv_seg.weight", "auxiliary_head.a.bias")),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_encoders_of_other_libraries(resnet, original_weights, library):
    prefix, head = LIBRARIES[library]
    classifier = tfseg.create_classifier("resnet18_v1", 3, blocks=[1, 1, 1, 1])
    names = original_weights(classifier, "torchvision ResNet")
    encoder = {name: value for name, value in names.items() if not name.startswith("fc.")}
    source = {prefix + name: value for name, value in encoder.items()}
    source |= {name: np.ones(5, np.float32) for name in head}
    _fails(resnet, source, f"saved by {library}", "its encoder fits: ask for a new head")
    report = tfseg.load_weights(resnet, source, new_head=True)
    assert all(path.startswith("decoder/") for path in report.fresh)
    assert set(report.skipped) == set(head)
    kernel = resnet.encoder.get_layer("stem").conv.kernel
    np.testing.assert_array_equal(kernel, names["conv1.weight"].transpose(2, 3, 1, 0))
    # Another stem than that of any encoder here.
    del source[f"{prefix}conv1.weight"]
    source[f"{prefix}stem.0.weight"] = np.ones((32, 3, 3, 3), np.float32)
    _fails(resnet, source, f"saved by {library}: nothing of it fits", new_head=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet50_v1", "drn_a_50 or resnet50_v1:"),
        ("wide_resnet50_v1", "that of wide_resnet50_v1:"),
        ("resnext50_32x4d_v1", "that of resnext50_32x4d_v1:"),
    ],
)
def test_the_encoder_to_take_is_named(name, said, model, original_weights):
    names = original_weights(tfseg.create_classifier(name, 3), "torchvision ResNet")
    source = {f"encoder.{name}": v for name, v in names.items() if not name.startswith("fc.")}
    source["segmentation_head.0.bias"] = np.ones(2, np.float32)
    _fails(model, source, "segmentation_models_pytorch", said, "new_head")


class HistoryBuffer:
    """As MMEngine's, which has its methods in its state."""

    def __init__(self):
        self.history, self.lengths = np.zeros(3), np.ones(3, np.int64)

    def __getstate__(self):
        return vars(self) | {"methods": {"mean": HistoryBuffer.mean}, "last": np.float64(2)}

    def mean(self):
        return self.history.mean()


def test_a_checkpoint_of_mmengine_is_recognised(resnet, write_pytorch, tmp_path):
    record = pickle.dumps({"loss": HistoryBuffer()}, 2)[2:-1]
    name = f"c{__name__}\nHistoryBuffer\n".encode()
    assert record.count(name) == 1 and b"c__builtin__\ngetattr\n" in record
    record = record.replace(name, b"cmmengine.logging.history_buffer\nHistoryBuffer\n")
    state = {"backbone.stem.0.weight": np.ones((32, 3, 3, 3), np.float32)}
    state |= {"decode_head.conv_seg.bias": np.ones(5, np.float32)}
    path = tmp_path / "iter_160000.pth"
    write_pytorch(path, {"message_hub": {"log_scalars": record}, "state_dict": state})
    _fails(resnet, path, "saved by MMSegmentation: nothing of it fits", new_head=True)


def test_hugging_face_is_recognised(model):
    source = {
        "backbone.embedder.embedder.convolution.weight": np.ones((4, 3, 7, 7), np.float32),
        "decode_head.classifier.bias": np.ones(5, np.float32),
    }
    _fails(model, source, "saved by Hugging Face transformers: nothing of it fits")


def test_missing_entry_is_named(model, source):
    del source["base.3.0.conv1.weight"]
    _fails(model, source, "1 variable is not in it (base.3.0.conv1.weight)")


def test_surplus_entry_is_named(model, source):
    source["base.9.weight"] = np.zeros(3, np.float32)
    _fails(model, source, "base.9.weight", "no place")


def test_other_stem_is_said(model, source):
    source["base.0.0.weight"] = np.zeros((64, 3, 7, 7), np.float32)
    _fails(model, source, "stem")


def test_unrelated_source_is_said(model):
    _fails(model, {"a": np.zeros(3)}, "another kind of model")
    _fails(model, {}, "empty")


def test_other_class_count_names_both(model, source):
    source["seg.weight"], source["seg.bias"] = source["seg.weight"][:3], source["seg.bias"][:3]
    _fails(model, source, "it has 3 classes, the model 5")
    report = tfseg.load_weights(model, source, new_head=True)
    assert report.fresh == ("decoder/classifier/kernel", "decoder/classifier/bias")


def test_classifier_starts_a_segmenter(model, original_weights):
    classifier = tfseg.create_classifier("drn_d_22", 7, **TINY)
    source = original_weights(classifier, "DRN classifier")
    _fails(model, source, "only the head differs")
    report = tfseg.load_weights(model, source, new_head=True)
    assert all(path.startswith("decoder/") for path in report.fresh)
    assert set(report.skipped) == {"fc.weight", "fc.bias"}


def test_filters_start_fresh_from_weights_of_plain_convolutions(original_weights):
    dilated = {"blocks": [1, 1, 1, 1, 1, 0, 0, 1]}
    source = original_weights(tfseg.create_model("drn_d_22", 5, **dilated), "DRN segmenter")
    model = tfseg.create_model("drn_d_22", 5, dilated_type="smooth_SSC", **dilated)
    _fails(model, source, "only the smoothing filters are missing", "new_head")
    report = tfseg.load_weights(model, source, new_head=True)
    assert report.fresh and all(path.endswith("/ssc") for path in report.fresh)
    assert len(report.loaded) + len(report.fresh) == len(model.variables)


def test_new_head_does_not_forgive_the_encoder(model, source):
    del source["base.3.0.conv1.weight"]
    _fails(model, source, "base.3.0.conv1.weight", new_head=True)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_own_files_round_trip(tmp_path, model, suffix):
    path = tmp_path / f"model{suffix}"
    if suffix == ".keras":
        model.save(path)
    else:
        save_weights(model, path)
    other = tfseg.create_model("drn_d_22", 5, **TINY)
    tfseg.load_weights(other, path)
    for ours, theirs in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    wrong = tfseg.create_model("drn_d_22", 4, **TINY)
    _fails(wrong, path, "it has 5 classes, the model 4")
    tfseg.load_weights(wrong, path, new_head=True)


def test_plain_keras_weights_are_read(tmp_path, model):
    path = tmp_path / "plain.weights.h5"
    model.save_weights(path)
    tfseg.load_weights(tfseg.create_model("drn_d_22", 5, **TINY), path)
    _fails(tfseg.create_model("drn_d_22", 4, **TINY), path, str(path))


def test_damaged_file(tmp_path, model):
    path = tmp_path / "damaged.weights.h5"
    path.write_bytes(b"nothing")
    _fails(model, path, str(path))
    _fails(model, tmp_path / "absent.weights.h5", "no file")
    _fails(model, tmp_path, "not a run directory")
    for ending in (".weights.h5", ".keras", ".pth"):
        os.mkfifo(tmp_path / f"pipe{ending}")
        _fails(model, tmp_path / f"pipe{ending}", "is a named pipe, not a file")


def test_interrupted_save_leaves_the_old_file(tmp_path, model, monkeypatch):
    path = tmp_path / "model.weights.h5"
    save_weights(model, path)
    before = path.read_bytes()

    def full(source, destination):
        pathlib.Path(source).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(tfseg.TfsegError, match="No space left"):
        save_weights(model, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("depth", [2, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", ["a_18", "a_50", "c_26", "c_58", "d_22", "d_54"])
def test_original_names_are_unique(architecture, depth):
    blocks = depth and [depth] * (4 if architecture[0] == "a" else 8)
    for model, kind in (
        (tfseg.create_model(f"drn_{architecture}", 3, blocks=blocks), "segmenter"),
        (tfseg.create_classifier(f"drn_{architecture}", 3, blocks=blocks), "classifier"),
    ):
        from tfseg.weights.layouts.families import layouts

        layout = next(one for one in layouts(model) if one.name == f"DRN {kind}")
        names = [layout.original(variable.path) for variable in model.variables]
        assert None not in names and len(set(names)) == len(names)


def test_templates_do_arithmetic():
    layout = Layout("test", ((r"stage(?P<n>\d+)/(?P<m>\d+)", "s{n+3}.{m-1}.{3*m-2}"),))
    assert layout.original("stage2/4/kernel") == "s5.3.10.weight"
    assert layout.original("other/kernel") is None
    assert re.search("counter", layout.skip_reason("bn.num_batches_tracked"))
