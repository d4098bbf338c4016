"""PyTorch files, both formats, without PyTorch: `torch.save` of a state dict or a checkpoint.

Since PyTorch 1.6 the file is a zip archive: `data.pkl` and one stored member per storage.
Before (the released DRN and ADE20K models) it is five pickles, the fourth the value and the
fifth the list of storage keys, and then the storages themselves, each behind its length.
"""

import math
import struct

import numpy as np

from tfseg.weights.readers import pickles, wrappers
from tfseg.weights.readers.arrays import Entry, Stream, WeightFile
from tfseg.weights.readers.zips import Archive

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001


def read_zip(file):
    """The tensors of a zip-format `SourceFile` as a `WeightFile`.

    Raises:
        ReadError: the archive is damaged, compressed or no PyTorch file, its pickle asks for
            more than tensors, or a tensor lies outside of its storage.
    """
    archive = Archive(file)
    pickle_name = min((n for n in archive if n.split("/")[1:] == ["data.pkl"]), default=None)
    if pickle_name is None:
        raise file.error(
            "it is a zip archive without data.pkl, so not a PyTorch file; Keras models are named"
            " *.keras"
        )
    start, size = archive.locate(pickle_name)
    value, storages = _unpickle(file, Stream(file, start, start + size))
    root = pickle_name.removesuffix("data.pkl")
    order = "="
    if f"{root}byteorder" in archive:
        start, size = archive.locate(f"{root}byteorder")
        order = {b"little": "<", b"big": ">"}.get(file.bytes(start, min(size, 8)))
        if order is None:
            raise file.error("its byte order is neither little nor big")
    places = {}
    for key, (dtype, count) in storages.items():
        start, size = archive.locate(f"{root}data/{key}")
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


def _weights(file, value, places, order):
    try:
        state, ignored, part = wrappers.unwrap(value, _is_tensor)
    except ValueError as error:
        raise file.error(error) from error
    entries = {}
    for name, item in state.items():
        if _is_tensor(item) and isinstance(name, str):
            entries[name] = _entry(file, name, item, places, order)
        elif isinstance(name, str):
            ignored[name] = "not a tensor"
    # Tensors may share storages, but a small file must not ask for days of reading.
    tensors = filter(_is_tensor, state.values())
    if sum(max(_extent(t), math.prod(t.shape)) for t in tensors) > 16 * file.size:
        raise file.error("its tensors are many times larger than the file")
    return WeightFile(file.path, "pytorch", entries, ignored, part=part)


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
