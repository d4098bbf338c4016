"""What all readers share: a file read in pieces and a mapping whose arrays are read on access."""

import copy
import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tfseg.errors import TfsegError
from tfseg.files import open_file
from tfseg.words import counted


class ReadError(TfsegError):
    """A weight file is missing, damaged, hostile or of a kind that isn't read."""


class SourceFile:
    """A file read in pieces, each into memory of its own.

    It isn't memory-mapped: the pages of a mapping count as memory of the process beside the
    arrays made from them, the tensors of the older formats aren't aligned and would be copied
    anyway, and a file that shrinks meanwhile would end the process instead of raising an error.

    Attributes:
        path: the file's path as a string.
        size: its length in bytes.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self._lock = threading.Lock()
        self._file = None
        try:
            # The file lives as long as the arrays that are still to be read from it.
            self._file = open_file(self.path)
            self.size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise ReadError(f"can't read {self.path}: {error.strerror or error}") from error

    def __del__(self):
        if self._file is not None:
            self._file.close()

    def error(self, what):
        """A `ReadError` that names the file."""
        return ReadError(f"can't read {self.path}: {what}")

    def read_into(self, offset, buffer):
        """Fills a writable `buffer` from `offset`."""
        view = memoryview(buffer)
        if not 0 <= offset <= self.size - view.nbytes:
            raise self.error("it ends too early; is the download complete?")
        try:
            with self._lock:
                self._file.seek(offset)
                count = self._file.readinto(view)
        except OSError as error:
            raise self.error(error.strerror or error) from error
        if count != view.nbytes:
            raise self.error("it became shorter while it was read")

    def bytes(self, offset, count):
        """`count` bytes from `offset`."""
        if not 0 <= count <= self.size:
            raise self.error("it ends too early; is the download complete?")
        data = bytearray(count)
        self.read_into(offset, data)
        return bytes(data)

    def array(self, offset, count, dtype):
        """`count` numbers from `offset` as a new 1-D array in the machine's byte order."""
        dtype = np.dtype(dtype)
        if not 0 <= count * dtype.itemsize <= self.size:
            raise self.error("it ends too early; is the download complete?")
        raw = np.empty(count * dtype.itemsize, np.uint8)
        self.read_into(offset, raw)
        if dtype.kind == "b":
            return raw != 0
        return raw.view(dtype).astype(dtype.newbyteorder("="), copy=False)


class Stream:
    """The bytes `start` to `end` of a `SourceFile`, read one after the other.

    Nothing is allocated before it is known to be in the file. Reading past the end raises
    ValueError, which each format turns into its own message.
    """

    def __init__(self, file, start, end, longest=1 << 24):
        self._file, self.position, self._end, self._longest = file, start, end, longest
        self._buffer, self._buffer_start = b"", start

    @property
    def remaining(self):
        return self._end - self.position

    def skip(self, count):
        """Moves on by `count` bytes and gives the position before."""
        if count > self.remaining:
            raise ValueError("it ends too early")
        before = self.position
        self.position += count
        return before

    def read(self, count):
        """Exactly `count` bytes."""
        if count > self._longest:
            raise ValueError(f"it holds one value of {counted(count, 'byte')}")
        start = self.skip(count) - self._buffer_start
        if not 0 <= start <= len(self._buffer) - count:
            self._fill(self.position - count, count)
            start = 0
        return self._buffer[start : start + count]

    def readline(self, longest=4096):
        """The bytes up to and with the next newline, without escapes."""
        start = self.position - self._buffer_start
        end = self._buffer.find(b"\n", start) + 1
        if not end:
            self._fill(self.position, min(longest, self.remaining))
            start, end = 0, self._buffer.find(b"\n") + 1
        if not 0 < end - start <= longest:
            raise ValueError("it holds a line without an end")
        line = self.read(end - start)
        if b"\\" in line:
            raise ValueError("it holds a line with escapes")
        return line

    def _fill(self, start, count):
        """Reads ahead, `count` bytes at least, from position `start`."""
        self._buffer_start = start
        self._buffer = self._file.bytes(start, min(max(count, 4096), self._end - start))


class Entry(NamedTuple):
    """One array of a file.

    Attributes:
        shape: tuple of ints.
        dtype: numpy dtype.
        read: function without arguments that reads it, a new C-contiguous array.
    """

    shape: tuple
    dtype: np.dtype
    read: Any


class WeightFile(Mapping):
    """The arrays of a weight file by name; an array is read each time it is asked for.

    So nothing but the arrays that the caller keeps is in memory. Arrays are the caller's own:
    writable, contiguous, in the machine's byte order, of the dtype stored (bfloat16 is that of
    `ml_dtypes`) and in the layout stored (PyTorch and Caffe convolutions are OIHW).

    Attributes:
        path: the file.
        format: "pytorch", "safetensors", "caffe" or "tensorflow".
        ignored: {name: reason} of what is in the file but isn't a weight.
        layer_types: Caffe only: {layer: type}, e.g. {"conv1": "Convolution"}.
        part: what of a checkpoint of several things this is, in words, or None.
    """

    def __init__(self, path, format, entries, ignored=None, layer_types=None, part=None):
        self.path, self.format, self.part = path, format, part
        self.ignored, self.layer_types = dict(ignored or {}), dict(layer_types or {})
        self._entries = dict(entries)

    def __getitem__(self, name):
        return self._entries[name].read()

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)

    def __contains__(self, name):
        return name in self._entries

    def __repr__(self):
        return f"<{self.format} file {self.path}: {counted(len(self), 'array')}>"

    def renamed(self, rename):
        """The same file with other names; `rename` is a function from name to name."""
        other = copy.copy(self)
        other._entries = {rename(name): entry for name, entry in self._entries.items()}
        return other

    def shape(self, name):
        """The shape of an array, without reading it."""
        return self._entries[name].shape

    def dtype(self, name):
        """The dtype of an array, without reading it."""
        return self._entries[name].dtype
