"""TensorFlow 1 checkpoints: TF-slim's single files (V1) and prefix.index + prefix.data-* (V2)."""

import glob
import math
import os
import re

import numpy as np
import tensorflow as tf

from tfseg.weights.readers.arrays import Entry, ReadError, WeightFile

# Optimizers' slots are named after their variable.
_SLOT = re.compile(r"(.+)/(Momentum|Adam|Adadelta|Adagrad|RMSProp|Ftrl)(_\d+)?")
_COUNTERS = re.compile(r"(.*/)?(global_step|beta[12]_power(_\d+)?)")
_PART = re.compile(r"\.index$|\.data-\d+-of-\d+$")
# What TensorFlow's checkpoint reader raises for damage, depending on its kind.
_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, IndexError, TypeError)
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def is_part(path):
    """Whether a path is named like a part of a V2 checkpoint, whose data has no mark."""
    path = os.fspath(path)
    return bool(_PART.search(path)) and os.path.exists(f"{_PART.sub('', path)}.index")


def read(path):
    """The variables of a checkpoint as a `WeightFile`.

    Momentum and Adam slots, the global step and Adam's powers are ignored.

    Args:
        path: the single file, the prefix, or a file of it (.index, .data-*).

    Raises:
        ReadError: a part is missing or damaged, or it is a TensorFlow 2 object checkpoint.
    """
    path = os.fspath(path)
    prefix = _PART.sub("", path)
    shards = glob.glob(f"{glob.escape(prefix)}.data-*")
    if prefix != path and not shards:
        raise ReadError(
            f"can't read {path}: its {os.path.basename(prefix)}.data-* files are missing"
        )
    try:
        # A 64-bit number takes a byte or more, so this bounds what a damaged index can ask for.
        limit = 8 * sum(os.path.getsize(part) for part in shards or [prefix])
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    except (*_ERRORS, OSError) as error:
        raise _error(path, error) from error
    if _OBJECT_GRAPH in shapes:
        raise ReadError(
            f"can't read {path}: it is a TensorFlow 2 checkpoint of objects, not of named"
            " variables; give the run directory or its best.weights.h5"
        )
    entries, ignored = {}, {}
    for name in sorted(shapes):
        slot = _SLOT.fullmatch(name)
        if slot and slot[1] in shapes:
            ignored[name] = f"the optimizer's {slot[2]} slot"
        elif _COUNTERS.fullmatch(name) or dtypes[name] == tf.string:
            ignored[name] = "not a weight"
        else:
            entries[name] = _entry(path, reader, name, shapes[name], dtypes[name], limit)
    if not entries:
        raise ReadError(f"can't read {path}: it holds no weights")
    return WeightFile(path, "tensorflow", entries, ignored)


def _error(path, error):
    return ReadError(f"can't read {path}: {' '.join(str(error)[:200].split())}")


def _entry(path, reader, name, shape, dtype, limit):
    if math.prod(shape) * dtype.size > limit:
        raise ReadError(f"can't read {path}: variable {name[:80]!r} is larger than the file")

    def read():
        try:
            return reader.get_tensor(name)
        except _ERRORS as error:
            raise _error(path, error) from error

    return Entry(tuple(shape), np.dtype(dtype.as_numpy_dtype), read)
