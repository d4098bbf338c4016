"""Files as large as the released ones, written from the names alone, load and compute the same."""

import contextlib
import gc
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

import tfseg
from tfseg.weights import to_original

pytestmark = pytest.mark.slow


def _zeroed(model):
    for variable in model.variables:
        if "seed_generator" not in variable.path:
            variable.assign(np.zeros(variable.shape, variable.dtype))
    return model


@contextlib.contextmanager
def _peak_memory_below(count):
    """Asserts that this process takes less than `count` bytes more than before, at any time."""
    resets, status = pathlib.Path("/proc/self/clear_refs"), pathlib.Path("/proc/self/status")
    if not resets.exists():
        yield
        return

    def memory(field):
        return 1024 * int(re.search(rf"{field}:\s+(\d+) kB", status.read_text())[1])

    gc.collect()
    resets.write_text("5")  # the peak so far is forgotten
    before = memory("VmRSS")
    yield
    assert memory("VmHWM") - before < count


def _nchw(maps):
    return np.asarray(maps).transpose(0, 3, 1, 2)


def _assert_loaded(model, state, layout):
    """The model has the values of {original name: array}."""
    loaded = to_original(model, layout)
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_drn_d_105_in_the_legacy_format(tmp_path, write_pytorch, original_weights):
    model = tfseg.create_model("drn_d_105", 19)
    state = original_weights(model, "DRN segmenter")
    path = write_pytorch(tmp_path / "drn-d-105_ms_cityscapes.pth", state, legacy=True)
    _zeroed(model)
    with _peak_memory_below(1.3 * sum(array.nbytes for array in state.values())):
        tfseg.load_weights(model, path)
    _assert_loaded(model, state, "DRN segmenter")


def test_deeplab_v2_state_dict_of_the_multi_scale_wrapper(
    tmp_path, write_pytorch, original_weights, golden, reference_image, assert_close
):
    model = tfseg.create_model("deeplab_v2_resnet101", 21)
    state = original_weights(model, "DeepLab v1/v2")
    wrapped = {f"base.{name}": array for name, array in state.items()}
    path = write_pytorch(tmp_path / "deeplabv2_resnet101_msc-vocaug-20000.pth", wrapped)
    tfseg.load_weights(_zeroed(model), path)
    logits = model(reference_image(4, (1, 3, 97, 113)))["logits"]
    assert_close(_nchw(logits), golden("deeplab_v2_resnet101")["logits"], 1e-3)
    _assert_loaded(model, state, "DeepLab v1/v2")


def test_deeplab_v2_caffemodel(
    tmp_path, write_caffe, original_weights, golden, reference_image, assert_close
):
    model = tfseg.create_model("deeplab_v2_resnet101", 21)
    # The reference's values under PyTorch's names, written under Caffe's.
    tfseg.load_weights(model, original_weights(model, "DeepLab v1/v2"))
    layers = {}
    for name, array in sorted(to_original(model, "Caffe DeepLab v2").items()):
        layers.setdefault(name.rpartition("/")[0], []).append(array)
    rows = []
    for suffix in ("", "_res075", "_res05"):
        for layer, arrays in layers.items():
            kind = {"bn": "BatchNorm", "sc": "Scale"}.get(layer[:2], "Convolution")
            if kind == "BatchNorm":
                arrays = [*(4 * array for array in arrays), np.full(1, 4, np.float32)]
            rows.append((layer + suffix, kind, arrays))
    path = write_caffe(tmp_path / "train2_iter_20000.caffemodel", rows)
    report = tfseg.load_weights(_zeroed(model), path)
    assert report.layout == "Caffe DeepLab v2" and report.preprocessing.channel_order == "BGR"
    logits = model(reference_image(4, (1, 3, 97, 113)))["logits"]
    assert_close(_nchw(logits), golden("deeplab_v2_resnet101")["logits"], 1e-3)


def test_tensorflow_1_checkpoint_with_gaussian_filter(tmp_path, original_weights):
    options = {"padding": "same", "batch_norm_epsilon": 1e-3, "dilated_type": "gaussian_filter"}
    model = tfseg.create_model("deeplab_v2_resnet101", 21, **options)
    state = original_weights(model, "TF-slim")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        # What of the file isn't ours: the optimizer's slots and the fixed filters' variables.
        others = {f"{name}/Momentum": array for name, array in list(state.items())[:5]}
        others["resnet_v1_101/block4/unit_1/bottleneck_v1/conv2/gauss_sigma"] = np.float32(1)
        values = {**state, **others}
        variables, feed = [], {}
        for name, array in values.items():
            initial = v1.placeholder(array.dtype, array.shape)
            variables.append(v1.get_variable(name, initializer=initial))
            feed[initial] = array
        session.run(v1.global_variables_initializer(), feed)
        prefix = v1.train.Saver(variables).save(
            session, os.fspath(tmp_path / "model.ckpt-20000"), write_meta_graph=False
        )
    report = tfseg.load_weights(_zeroed(model), prefix)
    assert report.layout == "TF-slim" and len(report.skipped) == len(others)
    _assert_loaded(model, state, "TF-slim")


def test_ade20k_encoder_and_decoder_files(
    tmp_path, write_pytorch, original_weights, golden, reference_image, assert_close
):
    model = tfseg.create_model("resnet50+upernet", 150)
    state = original_weights(model, "ADE20K UPerNet")
    paths = []
    for part in ("encoder", "decoder"):
        own = {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(part)}
        paths.append(write_pytorch(tmp_path / f"{part}_epoch_30.pth", own, legacy=True))
    tfseg.load_weights(_zeroed(model), paths)
    images = reference_image(5, (1, 3, 96, 128))
    logits = tf.nn.log_softmax(model(images)["logits"])
    assert_close(_nchw(logits)[:, ::5], golden("csail_resnet50_upernet")["log_probs"], 1e-4)
