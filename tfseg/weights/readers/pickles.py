"""A pickle machine that knows tensors and plain data and nothing else.

It decodes the opcodes with `pickletools.genops`, which runs nothing, and interprets the few
that a dictionary of tensors needs. A subclass of `pickle.Unpickler` with a restricted
`find_class` isn't enough: a 9-byte pickle makes it allocate gigabytes for its memo, and the
BUILD opcode sets attributes on whatever functions and classes are allowed.
"""

import pickletools
from typing import NamedTuple

import ml_dtypes
import numpy as np

# The state of a 1,000-tensor model is 40,000 opcodes, three times that with Adam's slots.
MAX_OPCODES = 1_000_000

_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Storage(NamedTuple):
    """A part of a flat block of numbers: `count` elements from element `offset` of block `key`."""

    key: str
    dtype: np.dtype
    offset: int
    count: int


class Tensor(NamedTuple):
    """A tensor's place in its storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class Opaque:
    """Stands for a value that isn't needed: the best accuracy, a trainer's record of losses."""

    def __init__(self, *_):
        pass


class _Function(NamedTuple):
    """An allowed global that may be called."""

    call: object


def _is_size(value):
    return type(value) is int and 0 <= value < 1 << 62


def _rebuild_tensor(storage, offset, shape, strides, *_):
    if len(shape) != len(strides) or len(shape) > 32:
        raise ValueError("a tensor has a wrong number of dimensions")
    if not isinstance(storage, Storage) or not all(map(_is_size, (offset, *shape, *strides))):
        raise ValueError("a tensor has a wrong storage, size or stride")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor, *_):
    return tensor


def _ordered_dict(items=()):
    result = {}
    _fill(result, [part for key, value in items for part in (key, value)])
    return result


def _size(items=()):
    return tuple(items)


def _encode(text, encoding):
    # How Python 3 writes bytes in protocol 2.
    if encoding != "latin1":
        raise ValueError("bytes are encoded in an unknown way")
    return text.encode("latin1")


_ARRAYS = ("scalar", "_reconstruct")
_STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
# What plain records beside the weights are made of. Their objects are never made, nor is anything
# of them called. MMEngine keeps its losses in HistoryBuffers, whose methods are in their state.
_OPAQUE = (
    "numpy dtype",
    "numpy ndarray",
    *(f"numpy.{core}.multiarray {name}" for core in ("core", "_core") for name in _ARRAYS),
    "mmengine.logging.history_buffer HistoryBuffer",
    "__builtin__ getattr",
    "builtins getattr",
)
_GLOBALS = {
    "collections OrderedDict": _Function(_ordered_dict),
    "torch Size": _Function(_size),
    "torch._utils _rebuild_tensor": _Function(_rebuild_tensor),
    "torch._utils _rebuild_tensor_v2": _Function(_rebuild_tensor),
    "torch._utils _rebuild_parameter": _Function(_rebuild_parameter),
    **dict.fromkeys(_OPAQUE, _Function(Opaque)),
    "_codecs encode": _Function(_encode),
    **{f"torch {name}": np.dtype(dtype) for name, dtype in _STORAGES.items()},
}


class Refused(Exception):
    """The pickle asks for something that isn't allowed; the message says for what."""


def load(stream):
    """The value of the pickle at a `Stream`'s position, which moves behind it.

    Returns:
        (value, storages): `value` is made of dicts, lists, tuples, strings, numbers, `Tensor`
        and `Opaque`; `storages` is {key: (dtype, count)} of the whole blocks it refers to.

    Raises:
        Refused: it asks for a class, a function or an opcode beyond those of tensors.
        ValueError: it is damaged.
    """
    machine = _Machine()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number == MAX_OPCODES:
                raise Refused(f"more than {MAX_OPCODES} pickle operations")
            machine.step(opcode.name, argument)
        (value,) = machine.stack
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        # Operands that are missing or of a wrong kind.
        raise ValueError("an operation has the wrong values to work on") from error
    return value, machine.storages


def _fill(dictionary, items):
    # A tuple as a key could take time exponential in the file's length to hash.
    if type(dictionary) is not dict or len(items) % 2:
        raise ValueError("items without a dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) not in (str, int, float, bool, type(None)):
            raise ValueError("a dictionary has unusual keys")
        dictionary[key] = value


class _Machine:
    """The stack, the memo and the operations on them; `outer` holds the stacks below the marks."""

    def __init__(self):
        self.stack, self.outer, self.memo, self.storages = [], [], {}, {}
        self.budget = MAX_OPCODES

    def step(self, name, argument):
        """Carries out one opcode."""
        if name in _LITERALS:
            self.push(argument)
        elif name in _CONSTANTS:
            self.push(_CONSTANTS[name])
        elif name in _TUPLES:
            self.push(tuple(self.pop(_TUPLES[name])))
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            asked = f" of {argument[:100]!r}" if isinstance(argument, str) else ""
            raise Refused(f"the pickle operation {name}{asked}")

    def push(self, value):
        self.stack.append(value)

    def pop(self, count):
        if count > len(self.stack):
            raise IndexError
        start = len(self.stack) - count
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def mark(self, _):
        self.outer.append(self.stack)
        self.stack = []

    def pop_to_mark(self):
        items, self.stack = self.stack, self.outer.pop()
        return items

    def put(self, index):
        self.memo[index] = self.stack[-1]

    def memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index):
        self.push(self.memo[index])

    def extend(self, items):
        if type(self.stack[-1]) is not list:
            raise ValueError("items without a list")
        self.stack[-1].extend(items)

    def fill(self, items):
        _fill(self.stack[-1], items)

    def dictionary(self, items):
        self.push({})
        self.fill(items)

    def find(self, name):
        if name not in _GLOBALS:
            raise Refused(repr(name.replace(" ", ".", 1)[:100])[1:-1])
        self.push(_GLOBALS[name])

    def reduce(self, _):
        function, arguments = self.pop(2)
        if not isinstance(function, _Function) or type(arguments) is not tuple:
            raise ValueError("a call of something that isn't a function")
        # A call copies its arguments, and a file could ask for it again and again.
        self.budget -= sum(len(value) for value in arguments if hasattr(value, "__len__"))
        if self.budget < 0:
            raise Refused("too many calls on large values")
        self.push(function.call(*arguments))

    def new(self, _):
        kind, _ = self.pop(2)
        if kind != _Function(Opaque):
            raise Refused("the pickle operation NEWOBJ")
        self.push(Opaque())

    def build(self, _):
        # The state of an OrderedDict (`_metadata`) or of a numpy dtype: not needed.
        self.pop(1)
        if not isinstance(self.stack[-1], dict | Opaque):
            raise Refused("attributes on a value that has none")

    def persistent(self, _):
        ((kind, dtype, key, _, count, *view),) = self.pop(1)
        if kind != "storage" or not isinstance(dtype, np.dtype) or type(key) is not str:
            raise ValueError("a tensor's storage isn't one")
        if not _is_size(count) or self.storages.setdefault(key, (dtype, count)) != (dtype, count):
            raise ValueError("one storage is described in two ways")
        offset = 0
        if view and view[0] is not None:
            _, offset, length = view[0]
            if not (_is_size(offset) and _is_size(length) and offset + length <= count):
                raise ValueError("a view is larger than its storage")
            count = length
        self.push(Storage(key, dtype, offset, count))


_ACTIONS = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, argument: None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    "MEMOIZE": _Machine.memoize,
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "LIST": lambda machine, _: machine.push(machine.pop_to_mark()),
    "DICT": lambda machine, _: machine.dictionary(machine.pop_to_mark()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.fill(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.fill(machine.pop_to_mark()),
    "GLOBAL": _Machine.find,
    "STACK_GLOBAL": lambda machine, _: machine.find(" ".join(machine.pop(2))),
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
