"""safetensors files, through their own library."""

import math

import ml_dtypes
import numpy as np

from tfseg.weights.readers.arrays import Entry, ReadError, WeightFile

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
# 1,000 tensors take 100 kB; the library itself allows headers that take gigabytes in memory.
_MAX_HEADER = 1 << 22


def read(file):
    """The arrays of a `SourceFile` as a `WeightFile`.

    The library checks the header. It also promises that the tensors follow each other without
    gaps up to the end of the file, so they are read from their places directly: its own way
    keeps a mapping of the file in memory beside the arrays.

    Raises:
        ReadError: the library is missing, the file is damaged or has a dtype that isn't read.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ReadError(
            f"can't read {file.path}: safetensors isn't installed; run pip install safetensors"
        ) from error
    if int.from_bytes(file.bytes(0, 8), "little") > _MAX_HEADER:
        raise file.error("its header is too long")
    try:
        with safe_open(file.path, "numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.offset_keys()}
            described = {n: (tuple(s.get_shape()), s.get_dtype()) for n, s in slices.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise file.error(" ".join(str(error)[:200].split())) from error
    entries, end = {}, file.size
    for name, (shape, dtype) in reversed(described.items()):
        if dtype not in _DTYPES:
            raise file.error(f"tensor {name[:80]!r} is {dtype}, which isn't read")
        dtype = np.dtype(_DTYPES[dtype])
        end -= math.prod(shape) * dtype.itemsize
        entries[name] = _entry(file, end, shape, dtype)
    entries = dict(reversed(entries.items()))
    if not entries:
        raise file.error("it holds no tensors")
    return WeightFile(file.path, "safetensors", entries)


def _entry(file, start, shape, dtype):
    def read():
        count = math.prod(shape)
        return file.array(start, count, dtype.newbyteorder("<")).reshape(shape)

    return Entry(shape, dtype, read)
