"""TensorFlow checkpoints: TF-slim's single files (V1), and prefix.index + prefix.data-* (V2).

TensorFlow 2's checkpoints of objects are V2 files, too. Of these, a training run's are read: their
names are our own paths.
"""

import glob
import math
import os
import re

import numpy as np

from tfseg.weights.readers.arrays import Entry, ReadError, WeightFile

# Optimizers' slots are named after their variable.
_SLOT = re.compile(r"(.+)/(Momentum|Adam|Adadelta|Adagrad|RMSProp|Ftrl)(_\d+)?")
_COUNTERS = re.compile(r"(.*/)?(global_step|beta[12]_power(_\d+)?)")
_PART = re.compile(r"\.index$|\.data-\d+-of-\d+$")
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
# A run's variables; where it keeps their moving average, that is what it validates and exports.
_OBJECT = re.compile(r"(model|average)/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")


def is_part(path):
    """Whether a path is named like a part of a V2 checkpoint, whose data has no mark."""
    path = os.fspath(path)
    return bool(_PART.search(path)) and os.path.exists(f"{_PART.sub('', path)}.index")


def read(path):
    """The variables of a checkpoint as a `WeightFile`.

    Momentum and Adam slots, the global step and Adam's powers are ignored, and so is all that a
    training run keeps beside its weights.

    Args:
        path: the single file, the prefix, or a file of it (.index, .data-*).

    Raises:
        ReadError: a part is missing or damaged, or it is a TensorFlow 2 checkpoint of other objects
            than a training run's.
    """
    path = os.fspath(path)
    tf = _tensorflow(path)
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
    except (*_errors(), OSError) as error:
        raise _error(path, error) from error
    entries, ignored = {}, {}
    if _OBJECT_GRAPH in shapes:
        for name, key in _of_a_run(path, shapes).items():
            entries[name] = _entry(path, reader, key, shapes[key], dtypes[key], limit)
        return WeightFile(path, "tfseg", entries, ignored)
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


def _tensorflow(path):
    """TensorFlow, imported at first use: networks on other backends do without it."""
    try:
        import tensorflow
    except ImportError as error:
        raise ReadError(f"can't read {path}: a checkpoint of TensorFlow needs it") from error
    return tensorflow


def _errors():
    """What TensorFlow's checkpoint reader raises for damage, depending on its kind."""
    import tensorflow as tf

    return (tf.errors.OpError, ValueError, RuntimeError, IndexError, TypeError)


def _of_a_run(path, keys):
    """{path of a model's variable: key} in a checkpoint of a training run."""
    matches = [match for match in map(_OBJECT.fullmatch, keys) if match]
    if not matches:
        raise ReadError(
            f"can't read {path}: it is a TensorFlow 2 checkpoint of objects other than a training"
            " run's; give a file of named variables, or a .weights.h5"
        )
    owner = min(match[1] for match in matches)  # "average" before "model"
    # TensorFlow writes a slash within a name as ".S", and the state of dropout is no weight.
    names = {match[2].replace(".S", "/"): match[0] for match in matches if match[1] == owner}
    return {name: key for name, key in names.items() if "seed_generator" not in name}


def _error(path, error):
    return ReadError(f"can't read {path}: {' '.join(str(error)[:200].split())}")


def _entry(path, reader, name, shape, dtype, limit):
    if math.prod(shape) * dtype.size > limit:
        raise ReadError(f"can't read {path}: variable {name[:80]!r} is larger than the file")

    def read():
        try:
            return reader.get_tensor(name)
        except _errors() as error:
            raise _error(path, error) from error

    return Entry(tuple(shape), np.dtype(dtype.as_numpy_dtype), read)
