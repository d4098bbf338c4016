"""Damaged and hostile files end in one line of error, at once, and nothing in them runs."""

import pathlib
import pickle
import random
import shutil
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from tfseg.weights import readers
from tfseg.weights.readers import pickles

FILES = pathlib.Path(__file__).parents[2] / "golden" / "files"


def _read_all(path):
    weights = readers.read(path)
    return {name: weights[name] for name in weights}


def _refusal(path):
    with pytest.raises(readers.ReadError) as caught:
        _read_all(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 500
    return message


@pytest.mark.parametrize("name", ["evil_zip.pth", "evil_legacy.pth"])
def test_files_that_call_a_function(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "asks for posix.system" in _refusal(FILES / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("operations", "asked"),
    [
        (b"cos\nsystem\n(U\x04exittR", "asks for os.system"),
        (b"X\x08\0\0\0builtinsX\4\0\0\0eval\x93", "asks for builtins.eval"),
        (b"(ios\nsystem\n", "asks for the pickle operation INST of 'os system'"),
        (b"ctorch\nSize\n)\x81", "asks for the pickle operation NEWOBJ"),
        (b"cargparse\nNamespace\n)R", "asks for argparse.Namespace"),
        (b"c__builtin__\nexec\n(U\4exittR", "asks for __builtin__.exec"),
        (b"c__builtin__\ngetattr\n(cos\nsystem\nU\1xtR", "asks for os.system"),
        (b"\x82\x01", "asks for the pickle operation EXT1"),
        # Attributes of an allowed function, which would stay for the rest of the process.
        (b"ctorch\nSize\nN}U\x0c__defaults__K\x07s\x86b", "asks for attributes"),
        (b"c__main__\nx\\ny\n", "escapes"),
        (b"r\xff\xff\xff\x7f", "damaged"),  # The memo of 2**31 places that C would allocate.
        (b"B\xff\xff\xff\x7f", "one value of 2147483647 bytes"),
        (b"\x8b\xff\xff\xff\x7f", "one value of 2147483647 bytes"),
        (b"\x8e" + b"\xff" * 8, "damaged"),
        (b"N" * 10_000, "asks for more than 5000 pickle operations"),
        (b"ctorch\nSize\n((" + b"N" * 900 + b"tq\1tR0" + b"ctorch\nSize\nh\1\x85R" * 9, "large"),
        (b"}((tK\1u", "unusual keys"),
        (b"}N(K\1K\2ue", "damaged"),
        (b"K\1K\2R", "isn't a function"),
        (b"(U\x07storageK\1U\1kU\1cK\1tQ", "storage"),
        (b"I" + b"9" * 5000 + b"\n", "damaged"),
    ],
)
def test_operations_that_are_refused(
    tmp_path, write_pytorch, monkeypatch, operations, asked, legacy
):
    monkeypatch.setattr(pickles, "MAX_OPCODES", 5000)
    operations = operations.replace(b"q\1tR0", b"q\1tR")
    assert asked in _refusal(write_pytorch(tmp_path / "f", operations, legacy))
    assert "__defaults__" not in vars(pickles._GLOBALS["torch Size"].call)


def test_a_pickle_that_would_take_exponential_time(tmp_path, write_pytorch):
    # Tuples of tuples of tuples …: comparing, hashing or printing them visits 2**200 elements.
    nest = b")q\1" + b"h\1h\1\x86q\1" * 200
    for value in ({"state_dict": nest}, {"state_dict": {"a": nest}}, nest, b"}h" + b"\1K\1s"):
        message = _refusal(write_pytorch(tmp_path / "f", value))
        assert "tensors" in message or "damaged" in message


def test_a_dictionary_that_contains_itself(tmp_path, write_pytorch):
    assert "no tensors" in _refusal(write_pytorch(tmp_path / "f", b"}q\1U\5modelh\1s"))


def _tensor(shape, strides, offset=0, count=12):
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x041000U\x03cpu%btQ"
    parts = [pickle.dumps(part, 2)[2:-1] for part in (count, offset, tuple(shape), tuple(strides))]
    return b"ctorch._utils\n_rebuild_tensor\n(" + storage % parts[0] + b"".join(parts[1:]) + b"tR"


@pytest.mark.parametrize(
    "tensor",
    [
        _tensor([13], [1]),
        _tensor([3, 4], [5, 1]),
        _tensor([12], [1], offset=1),
        _tensor([1], [1], offset=12),
        _tensor([2, 2], [1, 1 << 61]),
        _tensor([1 << 40], [0]),
        _tensor([1 << 20, 1 << 20], [0, 0]),
        _tensor([0, 1 << 50], [1, 1]),
        _tensor([-3], [1]),
        _tensor([3], [-1], offset=11),
        _tensor([3], [1], offset=-1),
        _tensor([3], [1, 1]),
        _tensor([1.5], [1]),
        _tensor([1 << 70], [1]),
        _tensor([1] * 40, [1] * 40),
        _tensor([12], [1], count=1 << 40),
        _tensor([12], [1], count=-12),
        _tensor([13], [1], count=13),
    ],
)
def test_tensors_outside_of_their_storage(tmp_path, write_pytorch, tensor):
    value = {"whole": np.arange(12, dtype="f4"), "bad": tensor}
    for legacy in (False, True):
        _refusal(write_pytorch(tmp_path / "f", value, legacy))


def test_tensors_many_times_larger_than_the_file(tmp_path, write_pytorch):
    whole = np.zeros(100_000, "f4")
    views = {str(i): whole[: 100_000 - i] for i in range(100)}
    assert "many times larger" in _refusal(write_pytorch(tmp_path / "f", views))


def test_archives_that_are_not_as_pytorch_writes_them(tmp_path, write_pytorch):
    path = tmp_path / "f"
    value = {"w": np.zeros(1000, "f4")}
    write_pytorch(path, value, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in _refusal(path)
    write_pytorch(path, value, byte_order="middle")
    assert "byte order" in _refusal(path)
    with zipfile.ZipFile(write_pytorch(path, value)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    for change, expected in [(None, "lacks 'any/data/1000'"), (b"short", "shorter")]:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (members | {"any/data/1000": change}).items():
                if data is not None:
                    archive.writestr(name, data)
        assert expected in _refusal(path)


def test_a_long_zip_directory_is_not_read(tmp_path, write_pytorch):
    path = write_pytorch(tmp_path / "f", {"w": np.zeros(8_000_000, "f4")})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\5\6")
    data[end + 12 : end + 20] = struct.pack("<II", 30_000_000, end - 30_000_000)
    path.write_bytes(data)
    tracemalloc.start()
    assert "zip archive is damaged" in _refusal(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_legacy_storages_that_differ_from_the_tensors(tmp_path, write_pytorch):
    path = tmp_path / "f"
    data = write_pytorch(path, {"w": np.zeros(10, "f4")}, legacy=True).read_bytes()
    path.write_bytes(data.replace(struct.pack("<q", 10), struct.pack("<q", 1 << 60)))
    assert "hasn't the size" in _refusal(path)
    path.write_bytes(data.replace(b"1000q\1e.", b"1001q\1e.").replace(b"1000q\1a.", b"1001q\1a."))
    assert "list of storages" in _refusal(path)


def test_a_file_that_shrinks_after_opening(tmp_path, write_pytorch):
    path = write_pytorch(tmp_path / "f", {"w": np.zeros(100_000, "f4")}, legacy=True)
    weights = readers.read(path)
    with open(path, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(readers.ReadError, match="became shorter"):
        weights["w"]


def test_damaged_caffe_models(tmp_path, write_caffe):
    def refuse(kind, *arrays):
        return _refusal(write_caffe(tmp_path / "f", [("layer", kind, arrays)]))

    one = np.ones(4, "f4")
    assert "mean, variance and one factor" in refuse("BatchNorm", one, one)
    assert "mean, variance and one factor" in refuse("BatchNorm", one, one, one)
    assert "without weights" in refuse("ReLU")
    path = write_caffe(tmp_path / "f", [("layer", "Scale", [one])])
    path.write_bytes(path.read_bytes().replace(b"\x3a\3\x0a\1\4", b"\x3a\3\x0a\1\5"))
    assert "shape and data differ" in _refusal(path)
    path.write_bytes(b"\x08\1" * 300_000)
    assert "too many fields" in _refusal(path)


def test_a_safetensors_header_that_is_too_long(tmp_path):
    pytest.importorskip("safetensors")
    header = b"{" + b" " * (5 << 20) + b"}"
    (tmp_path / "f").write_bytes(struct.pack("<Q", len(header)) + header)
    assert "header is too long" in _refusal(tmp_path / "f")


def _mutate(data, rng):
    """A damaged copy of `data`: a few bytes changed, removed, inserted, repeated or cut off."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        size = max(len(data), 1)
        # Structure is found at both ends rather than in between.
        near = rng.randrange(min(size, 1500))
        at = rng.choice((rng.randrange(size), near, size - 1 - near))
        kind = rng.randrange(9)
        if kind < 3:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            data[at : at + 8] = rng.choice((b"\xff" * 8, bytes(8), b"\xff" * 7 + b"\x7f"))
        elif kind == 4:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
        elif kind == 5:
            del data[at : at + rng.choice((1, 2, 4, 100))]
        elif kind == 6:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))
        elif kind == 7:
            start = rng.randrange(size)
            data[at:at] = data[start : start + rng.choice((4, 16, 64, 300))]
        else:
            del data[at:]
    return bytes(data)


@pytest.fixture
def source(request, tmp_path):
    """The path of a file to damage, by name."""
    path = tmp_path / "source"
    if request.param == "safetensors":
        library = pytest.importorskip("safetensors.numpy")
        library.save_file({"a": np.ones((3, 4), "f4"), "b": np.ones(3, "f2")}, path)
        return path
    return shutil.copy(FILES / request.param, path)


@pytest.mark.parametrize(
    "source",
    [*sorted(path.name for path in FILES.iterdir()), "safetensors"],
    indirect=True,
)
def test_2000_damaged_copies(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pathlib.Path(source).read_bytes()
    rng = random.Random(0)
    refused, peak = 0, 0
    for number in range(2000):
        # A new file each time: some file systems write replaced files to the disk at once.
        path = tmp_path / f"damaged{number}"
        path.write_bytes(_mutate(data, rng))
        # Tracing is slow, so not for all of them.
        if number % 20 == 0:
            tracemalloc.start()
        try:
            _read_all(path)
        except readers.ReadError as error:
            refused += 1
            assert "\n" not in str(error)
        if tracemalloc.is_tracing():
            peak = max(peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        path.unlink()
    assert refused > 1000
    assert peak < 5e6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]
