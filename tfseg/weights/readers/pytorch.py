"""PyTorch files, both formats, without PyTorch: `torch.save` of a state dict or a checkpoint.

Since PyTorch 1.6 the file is a zip archive: `data.pkl` and one stored member per storage.
Before (the released DRN and ADE20K models) it is five pickles, the fourth the value and the
fifth the list of storage keys, and then the storages themselves, each behind its length.
"""

import io
import math
import struct
import zipfile

import numpy as np

from tfseg.weights.readers import pickles
from tfseg.weights.readers.arrays import Entry, Stream, WeightFile, strip_prefixes

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
# Keys under which training scripts keep the weights beside the epoch and the like.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")


def read_zip(file):
    """The tensors of a zip-format `SourceFile` as a `WeightFile`.

    Raises:
        ReadError: the archive is damaged, compressed or no PyTorch file, its pickle asks for
            more than tensors, or a tensor lies outside of its storage.
    """
    members = _members(file)
    pickle_name = min((n for n in members if n.split("/")[1:] == ["data.pkl"]), default=None)
    if pickle_name is None:
        raise file.error(
            "it is a zip archive without data.pkl, so not a PyTorch file; Keras models are named"
            " *.keras"
        )
    start, size = _locate(file, members, pickle_name)
    value, storages = _unpickle(file, Stream(file, start, start + size))
    root = pickle_name.removesuffix("data.pkl")
    order = "="
    if f"{root}byteorder" in members:
        start, size = _locate(file, members, f"{root}byteorder")
        order = {b"little": "<", b"big": ">"}.get(file.bytes(start, min(size, 8)))
        if order is None:
            raise file.error("its byte order is neither little nor big")
    places = {}
    for key, (dtype, count) in storages.items():
        start, size = _locate(file, members, f"{root}data/{key}")
        if count * dtype.itemsize > size:
            raise file.error(f"storage {key[:40]!r} is shorter than its tensors need")
        places[key] = start
    return _weights(file, value, places, order)


def read_legacy(file):
    """The tensors of a legacy-format `SourceFile` as a `WeightFile`; errors as `read_zip`."""
    stream = Stream(file, 0, file.size)
    if _unpickle(file, stream)[0] != _MAGIC:
        raise file.error("it is a Python pickle, but not one of PyTorch's")
    if _unpickle(file, stream)[0] != _VERSION:
        raise file.error(f"its PyTorch format isn't version {_VERSION}")
    _unpickle(file, stream)  # The writing machine's byte order; storages are little-endian always.
    value, storages = _unpickle(file, stream)
    keys = _unpickle(file, stream)[0]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise file.error("its list of storages is damaged")
    if set(keys) != set(storages):
        raise file.error("its list of storages isn't the one that its tensors use")
    places = {}
    try:
        for key in keys:
            dtype, count = storages[key]
            if struct.unpack("<q", stream.read(8))[0] != count:
                raise file.error(f"storage {key[:40]!r} hasn't the size that its tensors expect")
            places[key] = stream.skip(count * dtype.itemsize)
    except ValueError as error:
        raise file.error("its last tensors are missing; is the download complete?") from error
    return _weights(file, value, places, "<")


def unwrap(value):
    """The state dict inside a checkpoint's value.

    Args:
        value: the unpickled value: a state dict, or a dict that holds one (or such a dict) under
            "state_dict", "model_state_dict", "model" or "net".

    Returns:
        (state dict, {name: reason} of what was left aside)

    Raises:
        ValueError: it isn't a dictionary.
    """
    ignored = {}
    # Four levels: a file can make a dictionary contain itself.
    for _ in range(4):
        if not isinstance(value, dict):
            raise ValueError("it doesn't hold a dictionary of tensors")
        wrapper = next((key for key in _WRAPPERS if isinstance(value.get(key), dict)), None)
        if wrapper is None:
            break
        ignored |= {k: f"not in {wrapper!r}" for k in value if isinstance(k, str) and k != wrapper}
        value = value[wrapper]
    return value, ignored


def _unpickle(file, stream):
    try:
        return pickles.load(stream)
    except pickles.Refused as error:
        raise file.error(
            f"it asks for {error}, which a file of weights doesn't need (nothing was run); of a"
            " trusted model save model.state_dict() instead"
        ) from error
    except ValueError as error:
        reason = " ".join(str(error)[:200].split())
        raise file.error(f"its pickle is damaged ({reason}); is the download complete?") from error


class _BoundedFile(io.FileIO):
    """Lets zipfile read a directory of 300,000 members at most, where it would take any size."""

    def read(self, size=-1):
        if size > 1 << 24:
            raise ValueError("its zip directory is too long")
        return super().read(size)


def _members(file):
    try:
        with _BoundedFile(file.path) as opened, zipfile.ZipFile(opened) as archive:
            return {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
        raise file.error("its zip archive is damaged; is the download complete?") from error


def _locate(file, members, name):
    """(offset, size) of a stored member's bytes in the file."""
    if name not in members:
        raise file.error(f"its archive lacks {name[-60:]!r}")
    info = members[name]
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise file.error("its archive is compressed or encrypted; PyTorch stores tensors as such")
    header = file.bytes(info.header_offset, 30)
    if header[:4] != b"PK\x03\x04":
        raise file.error("its zip archive is damaged; is the download complete?")
    start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    if start + info.file_size > file.size:
        raise file.error("its zip archive is damaged; is the download complete?")
    return start, info.file_size


def _weights(file, value, places, order):
    try:
        state, ignored = unwrap(value)
    except ValueError as error:
        raise file.error(error) from error
    entries = {}
    for name, item in state.items():
        if _is_tensor(item) and isinstance(name, str):
            entries[name] = _entry(file, name, item, places, order)
        elif isinstance(name, str):
            ignored[name] = "not a tensor"
    if not entries:
        raise file.error("it holds no tensors")
    # Tensors may share storages, but a small file must not ask for days of reading.
    tensors = filter(_is_tensor, state.values())
    if sum(max(_extent(t), math.prod(t.shape)) for t in tensors) > 16 * file.size:
        raise file.error("its tensors are many times larger than the file")
    return WeightFile(file.path, "pytorch", strip_prefixes(entries), ignored)


def _is_tensor(value):
    return isinstance(value, pickles.Tensor)


def _extent(tensor):
    """How many elements lie between its first and its last in memory, with both."""
    if 0 in tensor.shape:
        return 0
    return sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True)) + 1


def _entry(file, name, tensor, places, order):
    """The tensor's `Entry`, after checking that it lies within its storage."""
    storage, shape = tensor.storage, tensor.shape
    count, extent = math.prod(shape), _extent(tensor)
    if count == 0:
        # Arrays without elements still have a largest shape.
        inside = math.prod(n for n in shape if n) < 1 << 40
    else:
        # An expanded tensor (stride 0) has more elements than its storage, but a file
        # must not ask for more memory than it is long.
        inside = tensor.offset + extent <= storage.count
        inside = inside and count * storage.dtype.itemsize <= file.size
    if not inside:
        raise file.error(f"tensor {name[:80]!r} doesn't fit into its storage")
    start = places[storage.key] + (storage.offset + tensor.offset) * storage.dtype.itemsize
    # Where there's just one element, its stride may be anything.
    strides = [0 if n <= 1 else s for n, s in zip(shape, tensor.strides, strict=True)]

    def read():
        flat = file.array(start if extent else 0, extent, storage.dtype.newbyteorder(order))
        if extent == count and _is_contiguous(shape, strides):
            return flat.reshape(shape)
        steps = [stride * flat.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(flat, shape, steps).copy()

    return Entry(shape, storage.dtype, read)


def _is_contiguous(shape, strides):
    expected = 1
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n > 1 and stride != expected:
            return False
        expected *= n
    return True
