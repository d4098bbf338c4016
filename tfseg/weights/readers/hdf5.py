"""Keras files, .weights.h5 and .keras, without Keras: HDF5 as Keras writes it, and nothing else.

HDF5 can declare arrays of any size in a few bytes, compress them, and point to other files. So
only arrays that lie in the file as they are count, and none is read before it is asked for.
"""

import contextlib
import io
import json
import re

import h5py
import numpy as np

from tfseg.models.variables import variable_names
from tfseg.weights.readers.arrays import Entry, SourceFile, WeightFile
from tfseg.weights.readers.zips import Archive

RECIPE = "tfseg_model"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# Keras writes a group for every layer; ours are nested six deep.
_MAX_OBJECTS, _MAX_DEPTH = 100_000, 50
_MAX_TEXT = 1 << 16
_MAX_CONFIG = 1 << 20
_STATE = re.compile(r"(optimizer|.*_tracker|.*metrics?|.*seed_generator)(/|$)")
# h5py has no one type for a file that isn't as it should be.
_ERRORS = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, MemoryError)


def read(path):
    """The arrays of a .weights.h5 or .keras file as a `WeightFile`, and what it says of its model.

    An array is named after the layers that it lies in, as the file names them, and its number in
    the last of them: "encoder/stem/conv/0". `model_names` gives the same names to a model's.

    Returns:
        (weights, recipe): the recipe is what the file itself says, any JSON value, or None.

    Raises:
        ReadError: the file is missing, damaged, or not as Keras writes it.
    """
    file = SourceFile(path)
    if file.size < 8:
        raise file.error("it is no HDF5 file" if file.size else "it is empty")
    start, size, recipe = 0, file.size, None
    if file.bytes(0, 4) == b"PK\x03\x04":
        archive = Archive(file)
        recipe = {"keras": _json(file, archive)}
        start, size = archive.locate(_WEIGHTS)
    if file.bytes(start, 8) != _SIGNATURE:
        raise file.error("it is no HDF5 file")
    try:
        # The file lives as long as the arrays that are still to be read from it.
        opened = h5py.File(io.BufferedReader(_Window(file, start, size), 1 << 16), "r")
        walk = _Walk(file, opened)
        walk.group(opened, "", "", 0)
        if recipe is None:
            recipe = json.loads(_text(opened, RECIPE) or "null")
    except (*_ERRORS, RecursionError) as error:
        reason = " ".join(str(error)[:200].split())
        raise file.error(f"it is damaged, or not as Keras writes it ({reason})") from error
    if not walk.entries:
        raise file.error("it holds no weights")
    return WeightFile(file.path, "keras", walk.entries, walk.ignored), recipe


def _json(file, archive):
    """The value of a .keras file's config.json."""
    start, size = archive.locate(_CONFIG)
    if size > _MAX_CONFIG:
        raise file.error(f"its {_CONFIG} is too long")
    try:
        return json.loads(file.bytes(start, size))
    except (ValueError, RecursionError) as error:
        raise file.error(f"its {_CONFIG} is no JSON that is read") from error


class _Window(io.RawIOBase):
    """A part of a `SourceFile` as a file of its own."""

    def __init__(self, file, start, size):
        self._source, self._start, self._size, self._position = file, start, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer):
        count = max(0, min(len(buffer), self._size - self._position))
        self._source.read_into(self._start + self._position, memoryview(buffer)[:count])
        self._position += count
        return count


class _Walk:
    """Collects the arrays of an HDF5 file.

    Attributes:
        entries: {name: `Entry`}.
        ignored: {name: reason}.
    """

    def __init__(self, file, opened):
        self.entries, self.ignored = {}, {}
        self._file, self._opened, self._left = file, opened, _MAX_OBJECTS

    def group(self, group, path, layers, depth):
        """Goes through a layer's group, or one that holds such groups.

        Args:
            path: of the group in the file.
            layers: the names of the layers around it.
        """
        if depth > _MAX_DEPTH:
            raise ValueError("its groups are nested too deeply")
        members = dict(self._members(group))
        own = members.pop("vars", None)
        if isinstance(own, h5py.Group):
            name = _text(own, "name") or path.rpartition("/")[2]
            layers = f"{layers}/{name}".strip("/") if path else ""
            for number, array in self._members(own):
                if not isinstance(array, h5py.Dataset):
                    raise ValueError("a layer's variables are not arrays")
                self._add(array, f"{path}/vars/{number}", f"{layers}/{number}")
        for key, member in members.items():
            if isinstance(member, h5py.Group):
                self.group(member, f"{path}/{key}".strip("/"), layers, depth + 1)

    def _members(self, group):
        """(name, group or dataset) pairs; links to elsewhere are none of Keras'."""
        for name in group:
            self._left -= 1
            if self._left < 0:
                raise ValueError("it has too many parts")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name[:80]!r} points to elsewhere")
            yield name, group[name]

    def _add(self, array, path, name):
        if _STATE.match(path) or "seed_generator" in path:
            self.ignored[name] = "state of the training, not a weight"
            return
        layout = array.id.get_create_plist()
        plain = layout.get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
        if not plain or layout.get_external_count() or array.shape is None:
            raise ValueError(f"{name[:80]} is compressed, in pieces or in another file")
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise ValueError(f"{name[:80]} does not hold numbers")
        if array.id.get_storage_size() < array.size * array.dtype.itemsize:
            raise ValueError(f"{name[:80]} is declared larger than what the file holds of it")
        if name in self.entries:
            raise ValueError(f"two arrays are called {name[:80]}")
        self.entries[name] = Entry(array.shape, array.dtype, lambda: self._read(array, name))

    def _read(self, array, name):
        try:
            return np.asarray(array[()])
        except _ERRORS as error:
            reason = " ".join(str(error)[:200].split())
            raise self._file.error(f"{name[:80]} can't be read ({reason})") from error


def _text(group, name):
    """A short text among a group's attributes, or None."""
    if name not in group.attrs:
        return None
    attribute = group.attrs.get_id(name)
    if attribute.shape != () or attribute.get_storage_size() > _MAX_TEXT:
        raise ValueError(f"its attribute {name} isn't a short text")
    value = group.attrs[name]
    value = value.decode() if isinstance(value, bytes) else value
    if not isinstance(value, str):
        raise ValueError(f"its attribute {name} isn't a text")
    return value


def model_names(model):
    """{name as `read` gives it: our name of the variable} of a model.

    Keras' own way of saving it decides.

    Raises:
        TfsegError: as `read`.
    """
    # What numbers the layers has no public name. `save_weights` shows it, by writing all weights to
    # a file for their names alone.
    from keras.src.saving import saving_lib

    class Names(saving_lib.H5IOStore):
        """What Keras takes for a file, of which it keeps the names alone."""

        def __init__(self):
            self.file = {}

        def __bool__(self):
            return True

        def make(self, path, metadata=None):
            self.file[path] = entry = {"name": (metadata or {}).get("name"), "vars": {}}
            return entry["vars"]

    names = Names()
    with contextlib.suppress(AttributeError):
        saving_lib._save_state(model, names, None, "", set())
    own = {id(variable): name for name, variable in variable_names(model).items()}
    layers = {path: entry["name"] or path.rpartition("/")[2] for path, entry in names.file.items()}
    result = {}
    for path, entry in names.file.items():
        parts = path.split("/")
        around = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        chain = "/".join(layers[one] for one in around if one in layers and one)
        for number, variable in entry["vars"].items():
            result[f"{chain}/{number}"] = own[id(variable)]
    return result
