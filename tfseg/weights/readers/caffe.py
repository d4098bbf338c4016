"""Caffe `.caffemodel` files by the field numbers of the public caffe.proto, without Caffe.

Only the structure is walked; the numbers themselves are left where they are until asked for.
"""

import math
from typing import NamedTuple

import numpy as np

from tfseg.weights.readers.arrays import Entry, Stream, WeightFile

# Field numbers: NetParameter.layers (V1LayerParameter) and .layer (LayerParameter) with the
# numbers of their (name, type, blobs).
_LAYERS = {2: (4, 5, 6), 100: (1, 2, 7)}
_SHAPE, _DATA, _DOUBLE_DATA = 7, 5, 8
_OLD_SHAPE = (1, 2, 3, 4)
# The types of V1 layers that hold weights.
_V1_TYPES = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}
# ResNet-101 in three scales is 1,000 layers with 20 fields each.
_MAX_FIELDS = 200_000


class _Blob(NamedTuple):
    shape: tuple
    dtype: np.dtype
    start: int
    old: bool


class _Message(NamedTuple):
    """The place of a length-delimited field in the file."""

    start: int
    end: int


def read(file):
    """The arrays of a `SourceFile` as a `WeightFile` with names "layer/0", "layer/1", ….

    Convolutions have the kernel (OIHW) as 0 and the bias as 1, Scale layers the factor and the
    bias. Batch norms have the mean as 0 and the variance as 1: the file holds them times a
    factor in a third blob, which is divided out here. `layer_types` names every layer, also
    those without arrays. Old files have shapes of four dimensions only; there a bias comes
    out 1-D and an inner product 2-D, as newer files have them.

    Raises:
        ReadError: the file is damaged or isn't a Caffe model.
    """
    try:
        layers = list(_layers(_Walk(file)))
    except (ValueError, UnicodeDecodeError) as error:
        raise file.error(
            f"it isn't a file of a known kind, or it is a damaged Caffe model: {error}"
        ) from error
    entries, types = {}, {}
    for name, kind, blobs in layers:
        if blobs and f"{name}/0" in entries:
            raise file.error(f"two of its layers with weights are called {name[:80]!r}")
        types[name] = kind
        arrays = [_entry(file, kind, number, blob) for number, blob in enumerate(blobs)]
        if kind == "BatchNorm" and arrays:
            arrays = _batch_norm(file, name, arrays)
        entries |= {f"{name}/{number}": entry for number, entry in enumerate(arrays)}
    if not entries:
        raise file.error("it isn't a file of a known kind, or it is a Caffe model without weights")
    return WeightFile(file.path, "caffe", entries, layer_types=types)


class _Walk:
    """Reads protocol buffer messages field by field."""

    def __init__(self, file):
        self.file, self.budget = file, _MAX_FIELDS

    def fields(self, message):
        """(number, value) of a message's fields; the value is an int, bytes or a `_Message`."""
        stream = Stream(self.file, message.start, message.end)
        while stream.remaining:
            self.budget -= 1
            if self.budget < 0:
                raise ValueError("it has too many fields")
            number, kind = divmod(_varint(stream), 8)
            if kind == 0:
                yield number, _varint(stream)
            elif kind == 2:
                start = stream.skip(_varint(stream))
                yield number, _Message(start, stream.position)
            elif kind in (1, 5):
                yield number, stream.read(8 if kind == 1 else 4)
            else:
                raise ValueError(f"field {number} has the unknown kind {kind}")

    def text(self, message):
        """A string field's value."""
        if not isinstance(message, _Message) or message.end - message.start > 1000:
            raise ValueError("a name isn't a short text")
        return self.file.bytes(message.start, message.end - message.start).decode()

    def numbers(self, message):
        """The values of a packed field of varints."""
        stream = Stream(self.file, message.start, message.end)
        result = []
        while stream.remaining and len(result) < 33:
            result.append(_varint(stream))
        return result


def _varint(stream):
    result = 0
    for shift in range(0, 70, 7):
        (byte,) = stream.read(1)
        result |= (byte & 127) << shift
        if byte < 128:
            return result
    raise ValueError("a number is longer than 64 bits")


def _layers(walk):
    """(name, type, blobs) of each layer."""
    for number, message in walk.fields(_Message(0, walk.file.size)):
        if number not in _LAYERS:
            continue
        name_field, type_field, blobs_field = _LAYERS[number]
        name, kind, blobs = "", "", []
        for field, value in walk.fields(_message(message)):
            if field == name_field:
                name = walk.text(value)
            elif field == type_field:
                is_v1 = isinstance(value, int)
                kind = _V1_TYPES.get(value, f"V1:{value}") if is_v1 else walk.text(value)
            elif field == blobs_field:
                blobs.append(_blob(walk, _message(value)))
        yield name, kind, blobs


def _message(value):
    if not isinstance(value, _Message):
        raise ValueError("a layer or blob isn't a message")
    return value


def _blob(walk, message):
    shape, old, data = None, [0, 0, 0, 0], []
    for field, value in walk.fields(message):
        if field == _SHAPE:
            shape = []
            for inner, dims in walk.fields(_message(value)):
                if inner == 1:
                    shape += [dims] if isinstance(dims, int) else walk.numbers(_message(dims))
        elif field in _OLD_SHAPE and isinstance(value, int):
            old[field - 1] = value
        elif field in (_DATA, _DOUBLE_DATA):
            dtype = np.dtype("<f4" if field == _DATA else "<f8")
            data.append((dtype, *_message(value)))
    if len(data) != 1:
        raise ValueError("a blob's numbers aren't in one piece")
    ((dtype, start, end),) = data
    is_old = shape is None
    shape = tuple(old if is_old else shape)
    if len(shape) > 32 or math.prod(shape) * dtype.itemsize != end - start:
        raise ValueError("a blob's shape and data differ")
    return _Blob(shape, dtype, start, is_old)


def _entry(file, kind, number, blob):
    shape = blob.shape
    if blob.old and kind == "InnerProduct" and number == 0:
        shape = shape[2:] if shape[:2] == (1, 1) else shape
    elif blob.old and (number > 0 or kind not in ("Convolution", "Deconvolution")):
        shape = (math.prod(shape),) if max(shape) == math.prod(shape) else shape

    def read():
        return file.array(blob.start, math.prod(shape), blob.dtype).reshape(shape)

    return Entry(shape, blob.dtype.newbyteorder("="), read)


def _batch_norm(file, name, arrays):
    """Mean and variance with the factor divided out; a factor of 0 makes them 0, as in Caffe."""
    if len(arrays) != 3 or math.prod(arrays[2].shape) != 1:
        raise file.error(f"batch norm {name[:80]!r} isn't mean, variance and one factor")
    factor = arrays[2].read().reshape(())

    def divided(entry):
        def read():
            with np.errstate(all="ignore"):
                return entry.read() / factor if factor else np.zeros(entry.shape, entry.dtype)

        return entry._replace(read=read)

    return [divided(entry) for entry in arrays[:2]]
