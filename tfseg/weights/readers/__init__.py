"""Weight files of other frameworks, read without them, all as one kind of mapping.

    from tfseg.weights import readers
    weights = readers.read("drn_d_22.pth")
    weights.shape("layer0.0.weight"), weights["layer0.0.weight"]

Files are untrusted: whatever a file says, the outcome is its arrays or a `ReadError`, in
memory and time bounded by its length, and nothing in it is run.
"""

import os

from tfseg.weights.readers import caffe, pytorch, safetensors, tf1
from tfseg.weights.readers.arrays import ReadError, SourceFile, WeightFile

__all__ = ["ReadError", "WeightFile", "read"]

# The last eight bytes of TensorFlow's V1 checkpoints and V2 indices.
_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
# What downloads leave where the file should be.
_MISTAKEN = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"version https:": "a pointer of Git LFS",
}


def read(path):
    """Opens a weight file; what it is follows from its content, not from its name.

    Args:
        path: a PyTorch file (either format, a state dict or a checkpoint that holds one), a
            safetensors file, a `.caffemodel`, or a TensorFlow 1 checkpoint (the file, the
            prefix, or a file of it).

    Returns:
        A `WeightFile`: a mapping from the original names to arrays that are read on access.

    Raises:
        ReadError: one line that says what is wrong with the file.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        raise ReadError(f"can't read {path}: it is a folder, not a weight file")
    if tf1.is_part(path) or (not os.path.exists(path) and os.path.exists(f"{path}.index")):
        return tf1.read(path)
    file = SourceFile(path)
    head = file.bytes(0, min(file.size, 16))
    if not head:
        raise file.error("it is empty")
    if head.startswith(b"PK\x03\x04"):
        return pytorch.read_zip(file)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= file.size - 8:
        return safetensors.read(file)
    if head.startswith(b"\x80"):
        return pytorch.read_legacy(file)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        raise file.error("it is an HDF5 file; tfseg's own are named *.weights.h5")
    if file.size > 48 and file.bytes(file.size - 8, 8) == _TABLE_MAGIC:
        return tf1.read(path)
    for mark, what in _MISTAKEN.items():
        if head.lstrip().lower().startswith(mark):
            raise file.error(f"it is {what}, not a file of weights: download it again")
    # Protocol buffers have no mark of their own, so Caffe comes last.
    return caffe.read(file)
