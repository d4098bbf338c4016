"""Writers of other frameworks' weight files, so that the tests need none of these frameworks."""

import io
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest

_STORAGES = {
    np.dtype(dtype): name
    for name, dtype in {
        "DoubleStorage": "f8",
        "FloatStorage": "f4",
        "HalfStorage": "f2",
        "BFloat16Storage": ml_dtypes.bfloat16,
        "LongStorage": "i8",
        "IntStorage": "i4",
        "ShortStorage": "i2",
        "CharStorage": "i1",
        "ByteStorage": "u1",
        "BoolStorage": "?",
    }.items()
}


def _operations(value, storages, legacy):
    """The pickle operations that push `value`; bytes are operations already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        pairs = (part for item in value.items() for part in item)
        items = b"".join(_operations(part, storages, legacy) for part in pairs)
        return b"ccollections\nOrderedDict\n)R(" + items + b"u"
    if not isinstance(value, np.ndarray):
        return pickle.dumps(value, 2)[2:-1]
    base = value if value.base is None else value.base
    key = str(1000 + storages.setdefault(id(base), (len(storages), base))[0])
    offset = value.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    strides = [stride // value.itemsize for stride in value.strides]
    name = _STORAGES[value.dtype].encode()
    plain = [
        pickle.dumps(part, 2)[2:-1]
        for part in (key, "cpu", base.size, offset // value.itemsize, value.shape, tuple(strides))
    ]
    storage = b"(X\x07\0\0\0storagectorch\n" + name + b"\n" + b"".join(plain[:3])
    storage += (b"N" if legacy else b"") + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"".join(plain[3:])
    return tensor + b"\x89ccollections\nOrderedDict\n)RtR"


def _pytorch(path, value, legacy=False, byte_order="little", compression=zipfile.ZIP_STORED):
    storages = {}
    body = b"\x80\x02" + _operations(value, storages, legacy) + b"."
    bases = [(str(1000 + number), base) for number, base in storages.values()]
    if legacy:
        with open(path, "wb") as file:
            for header in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
                pickle.dump(header, file, 2)
            file.write(body)
            pickle.dump([key for key, _ in bases], file, 2)
            for _, base in bases:
                file.write(struct.pack("<q", base.size))
                file.write(np.ravel(base, "K").tobytes())
        return path
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("any/data.pkl", body)
        archive.writestr("any/byteorder", byte_order)
        for key, base in bases:
            base = base.byteswap() if byte_order == "big" else base
            archive.writestr(f"any/data/{key}", np.ravel(base, "K").tobytes())
    return path


@pytest.fixture(scope="session")
def write_pytorch():
    """Function (path, value, legacy=False, byte_order=, compression=) -> path.

    Writes what torch.save does. `value` is made of dicts, plain values and arrays; arrays that
    are views of the same array share a storage; bytes stand for raw pickle operations.
    """
    return _pytorch


def _varint(value):
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    return bytes([*result, value])


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _blob(array, old):
    if old:
        dims = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(_field(i + 1, size) for i, size in enumerate(dims))
    else:
        shape = _field(7, _field(1, b"".join(map(_varint, array.shape))))
    return _field(8 if array.dtype == np.float64 else 5, array.tobytes()) + shape


def _caffe(path, layers, old=False):
    file = io.BytesIO()
    file.write(_field(1, b"net"))
    for name, kind, arrays in layers:
        name_field, type_field, blobs_field = (4, 5, 6) if old else (1, 2, 7)
        layer = _field(name_field, name.encode())
        layer += _field(type_field, kind if old else kind.encode())
        layer += b"".join(_field(blobs_field, _blob(array, old)) for array in arrays)
        file.write(_field(2 if old else 100, layer))
    path.write_bytes(file.getvalue())
    return path


@pytest.fixture(scope="session")
def write_caffe():
    """Function (path, [(layer, type, [arrays])], old=False) -> path: a .caffemodel.

    With `old` the layers are V1 ones (the type is a number) and shapes have four dimensions.
    """
    return _caffe
