"""Our own files: .weights.h5, .keras, run directories and their checkpoints."""

import dataclasses
import io
import json
import os

import h5py

from tfseg import runs
from tfseg.digests import check_seal, seal
from tfseg.encoders.encoder import Encoder
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, require_there
from tfseg.models import ModelSpec
from tfseg.weights import readers
from tfseg.weights.assign import assign
from tfseg.weights.pretrained import is_pretrained, read_pretrained, weights_of_pretrained
from tfseg.weights.readers import hdf5
from tfseg.words import counted

# What a .keras file calls our models: whether they are classifiers.
_KERAS_CLASSES = {"tfseg>Segmenter": False, "tfseg>Classifier": True}


def save_weights(model, path, preprocessing=None):
    """Writes a model's weights as a Keras .weights.h5 file that also says which model they fit.

    The file appears under its name only when it is complete, ends in a digest of itself, and is
    made in memory: HDF5 would print tracebacks of its own over a full disk.

    Args:
        model: a `Segmenter` or `Classifier`.
        path: of the file.
        preprocessing: the `Preprocessing` that the weights expect, to be kept with them.

    Raises:
        TfsegError: the file can't be written (an earlier one is still whole), or its name doesn't
            end in ".weights.h5".
    """
    if not str(path).endswith(".weights.h5"):
        raise TfsegError(f"a file of weights is named *.weights.h5, not {path}")
    recipe = dataclasses.replace(model.spec, preprocessing=preprocessing).to_dict()
    buffer = _Buffer()
    model.save_weights(buffer)
    with h5py.File(buffer, "r+") as file:
        file.attrs[hdf5.RECIPE] = json.dumps(recipe)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())
        file.write(seal(buffer.getbuffer()))


def check_weights(path):
    """Looks whether a .weights.h5 is there and whole.

    Raises:
        TfsegError: it isn't; the message names it.
    """
    require_there(path)
    check_seal(path)
    try:
        h5py.File(path, "r").close()
    except OSError as error:
        raise TfsegError(f"{path} is damaged: {' '.join(str(error).split())}") from error


class _Buffer(io.BytesIO):
    """A file in memory that Keras accepts: it looks for the ending in what `str` says.

    Otherwise it writes to files in memory as to others. The public ways: a file on disk, half of
    which HDF5 leaves, with errors at odd times, where the disk is full; a .keras file in memory,
    which needs the config of every part, also of an encoder of the user's own.
    """

    def __str__(self):
        return "memory.weights.h5"


def find_spec(path):
    """What a folder with a model, a run's checkpoint, or a file of weights says of its model.

    It stands in a config.json (see `pretrained`), in a model.json there or beside the file, or in a
    .weights.h5 that also says which preprocessing it expects.

    Returns:
        `ModelSpec`, or None where nothing says it.

    Raises:
        TfsegError: a model.json is damaged or describes no segmenter.
    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    if is_pretrained(path):
        return read_pretrained(path)[0]
    run = runs.run_of_checkpoint(path)
    for place in (folder, run) if run else (folder,):
        card = os.path.join(place, runs.MODEL_CARD)
        if os.path.isfile(card):
            return ModelSpec.load(card)
    if not (str(path).endswith(".weights.h5") and os.path.isfile(path)):
        return None
    spec = _read(path)[1]
    if spec is None or not spec.preprocessing:
        return None
    if spec.kind != "segmenter":
        raise TfsegError(f"{path} holds an image {spec.kind}, not a segmenter")
    return spec


def is_own(path):
    """Whether `path` is a run directory, a checkpoint in one, a .weights.h5 or a .keras file."""
    named = str(path).endswith((".weights.h5", ".keras"))
    return named or os.path.isdir(path) or runs.run_of_checkpoint(path) is not None


def load_own(model, path, new_head=False):
    """Sets the weights of `model` from one of our files.

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        path: a run directory, a checkpoint in one (run/checkpoints/step-100), a folder of
            `pretrained`, a .weights.h5 or a .keras file.
        new_head: as for `assign`.

    Returns:
        A `Report`, with the preprocessing that the file or a model.json beside it states.

    Raises:
        TfsegError: the file is missing, damaged, or doesn't fit; no variable was changed.
    """
    card = None
    if is_pretrained(path):
        spec, _ = read_pretrained(path)
        report = assign(model, readers.read(weights_of_pretrained(path)), new_head, path)
        return dataclasses.replace(report, preprocessing=spec.preprocessing)
    if runs.run_of_checkpoint(path):
        _check_digests(path)
        report = assign(model, readers.read(path), new_head, path)
        spec = find_spec(path)
        return dataclasses.replace(report, preprocessing=spec and spec.preprocessing)
    if os.path.isdir(path):
        path, card = _in_run(path)
    weights, spec = _read(path)
    stated = spec and spec.preprocessing
    if card:
        stated = stated or ModelSpec.load(card).preprocessing
    origin = f"{path} (a {spec.name} of {counted(spec.num_classes, 'class')})" if spec else path
    report = assign(model, _in_our_names(weights, model), new_head, origin)
    return dataclasses.replace(report, preprocessing=stated)


def _read(path):
    """(`WeightFile`, `ModelSpec` or None) of a .weights.h5 or .keras file.

    Raises:
        TfsegError: it is missing or damaged, or says nonsense of its model.
    """
    require_there(path)
    check_seal(path)
    weights, stated = hdf5.read(path)
    try:
        return weights, _spec(stated)
    except (KeyError, TypeError, AttributeError, TfsegError) as error:
        raise TfsegError(f"{path} does not describe its model as tfseg does: {error}") from error


def _spec(stated):
    """The `ModelSpec` in a .weights.h5's own text or a .keras file's config, or None."""
    if stated is not None and "keras" in stated:
        kind, config = stated["keras"].get("registered_name"), stated["keras"].get("config")
        if kind not in _KERAS_CLASSES:
            return None
        # Version 0.1.0 had the recipe's values among the others.
        stated = config.get("recipe") or {**config, "classifier": _KERAS_CLASSES[kind]}
        stated = {"preprocessing": None, **stated}
    return None if stated is None else ModelSpec.from_dict(stated)


def _in_our_names(weights, model):
    """A Keras file's arrays under the paths of the model's variables, where it has such."""
    names = hdf5.model_names(model)
    if isinstance(model, Encoder):  # also as a part of a whole model
        names |= {f"{model.name}/{name}": path for name, path in names.items()}
    return weights.renamed(lambda name: names.get(name, name))


def _check_digests(path):
    try:
        runs.read_digests(path)
    except OSError as error:
        raise TfsegError(f"can't read {error.filename}: {error.strerror}") from error


def _in_run(folder):
    """The paths of a run directory's best weights and of its model.json."""
    card, weights = os.path.join(folder, runs.MODEL_CARD), os.path.join(folder, runs.BEST_WEIGHTS)
    if not os.path.isfile(card):
        raise TfsegError(f"{folder} is not a run directory: it has no {runs.MODEL_CARD}")
    if not os.path.isfile(weights):
        raise TfsegError(
            f"{folder} has no {runs.BEST_WEIGHTS} yet: it is written at the first validation"
        )
    return weights, card
