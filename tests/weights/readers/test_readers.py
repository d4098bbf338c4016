"""Every kind of weight file is read to the exact values, whatever its name."""

import pathlib
import sys
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tfseg.weights import readers

FILES = pathlib.Path(__file__).parents[2] / "golden" / "files"


def _assert_same(weights, expected):
    assert set(weights) == set(expected)
    for name, array in expected.items():
        actual = weights[name]
        assert (weights.shape(name), weights.dtype(name)) == (array.shape, array.dtype)
        assert (actual.shape, actual.dtype) == (array.shape, array.dtype)
        assert actual.flags.c_contiguous and actual.flags.writeable and actual.flags.aligned
        np.testing.assert_array_equal(actual, array)


@pytest.mark.parametrize(
    "name", ["zip.pth", "legacy.pth", "half.pth", "bfloat16.pth", "wrapped.pth.tar", "views.pth"]
)
def test_files_written_by_pytorch(name, golden):
    expected = golden("tiny_views" if name == "views.pth" else "tiny_state_dict")
    dtype = {"half.pth": np.float16, "bfloat16.pth": ml_dtypes.bfloat16}.get(name)
    if dtype:
        floats = {n: a for n, a in expected.items() if a.dtype == np.float32}
        expected |= {n: a.astype(dtype) for n, a in floats.items()}
    if name == "wrapped.pth.tar":
        expected = {f"module.{n}": a for n, a in expected.items()}
    weights = readers.read(FILES / f"tiny_{name}")
    _assert_same(weights, expected)
    assert weights.format == "pytorch"
    if name == "wrapped.pth.tar":
        assert list(weights.ignored) == ["epoch", "arch", "best_prec1"]


@pytest.mark.parametrize("legacy", [False, True])
def test_dtypes_views_and_empty_tensors(tmp_path, write_pytorch, legacy):
    dtypes = ["f8", "f4", "f2", ml_dtypes.bfloat16, "i8", "i4", "i2", "i1", "u1", "?"]
    # An odd number of bytes first: in legacy files nothing after it is aligned.
    expected = {"odd": np.arange(3, dtype="u1")}
    expected |= {f"{np.dtype(d)}": np.array([0, 1, 1]).astype(d) for d in dtypes}
    base = np.arange(60.0).reshape(3, 4, 5).copy()
    expected |= {
        "whole": base,
        "turned": base.transpose(2, 0, 1),
        "part": base[1:, ::2, 1:4],
        "row": base[2, 3],
        "scalar": np.array(7, "i8"),
        "empty": np.zeros((0, 3), "f4"),
        "expanded": np.broadcast_to(np.arange(2.0), (3, 2)),
    }
    _assert_same(readers.read(write_pytorch(tmp_path / "any", expected, legacy)), expected)


def test_big_endian_zip(tmp_path, write_pytorch):
    value = {"a": np.array([1.5, -2, 3e-9], "f4"), "b": np.arange(4), "c": np.ones(2, "f2")}
    _assert_same(readers.read(write_pytorch(tmp_path / "f", value, byte_order="big")), value)


def test_pickles_of_old_pythons_and_pytorches(tmp_path, write_pytorch):
    # Python 2 has byte strings and makes an OrderedDict from a list of pairs. PyTorch 0.3 has
    # _rebuild_tensor, and storages that are a view (key, offset, size) of another.
    view = b"(U\x01vK\x02K\x03t"
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x03keyU\x03cpuK\x05" + view + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\x01K\x02\x85K\x01\x85tR"
    pairs = b"](](U\x01w" + tensor + b"ee"
    path = write_pytorch(
        tmp_path / "f", b"ccollections\nOrderedDict\n(" + pairs + b"tR", legacy=True
    )
    keys = b"\x80\x02]q\x00."
    numbers = np.arange(5, dtype="<f4").tobytes()
    body = path.read_bytes().removesuffix(keys) + keys.replace(b".", b"U\x03keya.")
    path.write_bytes(body + b"\5\0\0\0\0\0\0\0" + numbers)
    _assert_same(readers.read(path), {"w": np.array([3, 4], "f4")})


def test_state_with_metadata_and_numpy_scalars(tmp_path, write_pytorch):
    # The best score so far may be a numpy number; Python 3 writes its bytes as encoded text.
    scalar = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<tb"
    scalar += b"c_codecs\nencode\n(X\x02\0\0\0abX\x06\0\0\0latin1tRtR"
    state = {"w": np.ones(2, "f4")}
    path = write_pytorch(tmp_path / "f", {"best": scalar, "state_dict": state}, legacy=True)
    # State dicts have their version in an attribute of the OrderedDict.
    metadata = b"}X\x09\0\0\0_metadata}sb"
    path.write_bytes(path.read_bytes().replace(b"tRuu.", b"tRu" + metadata + b"u."))
    assert metadata in path.read_bytes()
    weights = readers.read(path)
    _assert_same(weights, state)
    assert weights.ignored == {"best": "not in 'state_dict'"}


STATE = {"conv.weight": np.ones((1, 1, 1, 1), "f4"), "conv.bias": np.ones(1, "f4")}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({"anything": STATE, "epoch": 3}, None),
        ({"a": {"b": {"c": STATE}}}, None),
        ({"encoder": STATE, "decoder": {}}, None),
        ({"model": STATE, "model_ema": STATE, "ema": STATE}, None),
        ({"state_dict": STATE, "optimizer": {"momentum": STATE}, "rng_state": STATE}, None),
        ({"model": STATE, "discriminator": STATE}, None),
        ({"ema": STATE, "epoch": 3}, "'ema', averages"),
        ({"state_dict_ema": STATE}, "'state_dict_ema', averages"),
        ({"swa": {"state_dict": STATE}}, "'swa.state_dict', averages"),
    ],
)
def test_any_one_wrapper_is_opened(tmp_path, write_pytorch, value, part):
    weights = readers.read(write_pytorch(tmp_path / "f", value))
    _assert_same(weights, STATE)
    assert weights.part is None if part is None else weights.part.startswith(part)
    if "model_ema" in value:
        assert "averages" in weights.ignored["model_ema"]


def test_several_models_are_named(tmp_path, write_pytorch):
    for value in (
        {"generator": STATE, "discriminator": STATE},
        {"net": STATE, "model": STATE},
        {"student": {"model": STATE}, "teacher": {"model": STATE}},
        {"ema": STATE, "swa": STATE},
    ):
        with pytest.raises(readers.ReadError, match="several models") as caught:
            readers.read(write_pytorch(tmp_path / "f", value))
        assert all(f"'{name}" in str(caught.value) for name in value)


def test_peak_memory_is_that_of_the_tensors(tmp_path, write_pytorch):
    value = {f"w{i}": np.ones(250_000, "f4") for i in range(20)}
    for legacy in (False, True):
        path = write_pytorch(tmp_path / "f", value, legacy)
        tracemalloc.start()
        weights = readers.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
        kept = [weights[name] for name in weights]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.1 * sum(array.nbytes for array in kept)


def _caffe_layers():
    shapes = {"kernel": (4, 3, 3, 3), "bias": (4,), "mean": (4,), "variance": (4,)}
    generator = np.random.default_rng(0)
    return {name: generator.uniform(size=shape).astype("f4") for name, shape in shapes.items()}


def test_caffe_layers_and_batch_norm_factor(tmp_path, write_caffe):
    a = _caffe_layers()
    factor = np.array([8], "f4")  # A power of two: the division is exact.
    layers = [
        ("data", "ImageSegData", []),
        ("conv1", "Convolution", [a["kernel"], a["bias"]]),
        ("bn_conv1", "BatchNorm", [a["mean"] * 8, a["variance"] * 8, factor]),
        ("scale_conv1", "Scale", [a["variance"].astype("f8"), a["bias"]]),
        ("bn_unused", "BatchNorm", [a["mean"], a["variance"], np.zeros(1, "f4")]),
    ]
    weights = readers.read(write_caffe(tmp_path / "f", layers))
    expected = {
        "conv1/0": a["kernel"],
        "conv1/1": a["bias"],
        "bn_conv1/0": a["mean"],
        "bn_conv1/1": a["variance"],
        "scale_conv1/0": a["variance"].astype("f8"),
        "scale_conv1/1": a["bias"],
        "bn_unused/0": np.zeros(4, "f4"),
        "bn_unused/1": np.zeros(4, "f4"),
    }
    _assert_same(weights, expected)
    assert weights.layer_types == {name: kind for name, kind, _ in layers}


def test_old_caffe_layers(tmp_path, write_caffe):
    a = _caffe_layers()
    matrix = np.arange(6, dtype="f4").reshape(2, 3)
    layers = [("data", 5, []), ("conv", 4, [a["kernel"], a["bias"]]), ("fc", 14, [matrix])]
    weights = readers.read(write_caffe(tmp_path / "f", layers, old=True))
    _assert_same(weights, {"conv/0": a["kernel"], "conv/1": a["bias"], "fc/0": matrix})
    assert weights.layer_types == {"data": "V1:5", "conv": "Convolution", "fc": "InnerProduct"}


def test_caffe_layers_of_the_same_name(tmp_path, write_caffe):
    layers = [("data", "Data", []), ("data", "Data", []), ("a", "Scale", [np.ones(1, "f4")])]
    assert list(readers.read(write_caffe(tmp_path / "f", layers))) == ["a/0"]
    with pytest.raises(readers.ReadError, match="two of its layers with weights are called 'a'"):
        readers.read(write_caffe(tmp_path / "f", layers + layers[2:]))


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_tensorflow_1_checkpoints(tmp_path, version):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("conv1/weights", initializer=np.ones((3, 3, 2, 4), "f4"))
        fixed = v1.get_variable("fc1/fix_w", initializer=np.arange(9, dtype="f4"))
        step = v1.train.get_or_create_global_step()
        loss = tf.reduce_sum(weights) + tf.reduce_sum(fixed)
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss, step, var_list=[weights])
        v1.train.AdamOptimizer().minimize(loss, step, var_list=[fixed])
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=getattr(v1.train.SaverDef, version))
        prefix = saver.save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False)
    paths = [prefix]
    if version == "V2":
        paths += [f"{prefix}.index", f"{prefix}.data-00000-of-00001"]
    for path in paths:
        read = readers.read(path)
        expected = {
            "conv1/weights": np.ones((3, 3, 2, 4), "f4"),
            "fc1/fix_w": np.arange(9, dtype="f4"),
        }
        _assert_same(read, expected)
        assert {"global_step", "conv1/weights/Momentum", "fc1/fix_w/Adam_1"} < set(read.ignored)
    if version == "V2":
        pathlib.Path(paths[2]).unlink()
        with pytest.raises(readers.ReadError, match="files are missing"):
            readers.read(paths[1])


def test_other_checkpoints_of_objects_are_refused(tmp_path):
    prefix = tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "ckpt"))
    with pytest.raises(readers.ReadError, match="TensorFlow 2 checkpoint of objects"):
        readers.read(prefix)


def test_safetensors(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    expected = {
        "conv.weight": np.arange(24, dtype="f4").reshape(2, 3, 2, 2),
        "bn.mean": np.arange(3).astype(ml_dtypes.bfloat16),
        "half": np.ones(2, "f2"),
        "count": np.array(5),
        "empty": np.zeros((2, 0), "f4"),
        "mask": np.array([True, False]),
    }
    library.save_file(expected, tmp_path / "f", {"k": "v"})
    _assert_same(readers.read(tmp_path / "f"), expected)


def test_safetensors_without_its_library(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(readers.ReadError, match="pip install safetensors"):
        readers.read(tmp_path / "f")


def test_files_of_other_kinds(tmp_path):
    def refused(content, match):
        path = tmp_path / "drn_d_22.pth"
        path.write_bytes(content)
        with pytest.raises(readers.ReadError, match=match) as caught:
            readers.read(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    refused(b"", "empty")
    refused(b"hello world", "isn't a file of a known kind")
    refused(b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page, not a file")
    refused(b"<html><body>virus scan</body></html>", "a web page, not a file")
    refused(b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS")
    refused(b"\x89HDF\r\n\x1a\n" + bytes(100), r"HDF5 .* \*\.weights\.h5")
    refused(b"\x80\x02K\x01.", "not one of PyTorch's")
    with pytest.raises(readers.ReadError, match="No such file"):
        readers.read(tmp_path / "missing.pth")
    with pytest.raises(readers.ReadError, match="folder"):
        readers.read(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(readers.ReadError, match="not a PyTorch file"):
        readers.read(tmp_path / "a.keras")
