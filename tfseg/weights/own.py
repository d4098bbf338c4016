"""Our own files: .weights.h5, .keras, run directories and their checkpoints."""

import dataclasses
import io
import json
import os

import h5py
import keras

from tfseg.errors import TfsegError
from tfseg.files import atomic_write
from tfseg.models import Classifier, ModelSpec, Preprocessing, create_classifier, create_model
from tfseg.weights import readers
from tfseg.weights.assign import Report, assign, weights_of

BEST_WEIGHTS = "best.weights.h5"
MODEL_CARD = "model.json"
CHECKPOINTS = "checkpoints"
_RECIPE = "tfseg_model"
# Options that change neither a model's variables nor what they stand for.
_HARMLESS = ("freeze_batch_norm", "sync_batch_norm", "batch_norm_momentum")


def save_weights(model, path, preprocessing=None):
    """Writes a model's weights as a Keras .weights.h5 file that also says which model they fit.

    The file appears under its name only when it is complete, and is made in memory: HDF5 would
    print tracebacks of its own over a full disk.

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
    name, options = model.name_and_options
    recipe = {
        "classifier": isinstance(model, Classifier),
        "name": name,
        "num_classes": model.num_classes,
        "options": options,
        "preprocessing": preprocessing and preprocessing.to_dict(),
    }
    buffer = _Buffer()
    model.save_weights(buffer)
    with h5py.File(buffer, "r+") as file:
        file.attrs[_RECIPE] = json.dumps(recipe)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


class _Buffer(io.BytesIO):
    """A file in memory that Keras accepts: it looks for the ending in what `str` says."""

    def __str__(self):
        return "memory.weights.h5"


def find_spec(path):
    """What a run directory, a checkpoint in one, or a file of weights says of its model.

    It stands in a model.json there or beside the file, or in a .weights.h5 that also says which
    preprocessing it expects.

    Returns:
        `ModelSpec`, or None where nothing says it.

    Raises:
        TfsegError: a model.json is damaged or describes no segmenter.
    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    run = _run_of(path)
    for place in (folder, run) if run else (folder,):
        card = os.path.join(place, MODEL_CARD)
        if os.path.isfile(card):
            return ModelSpec.load(card)
    if not (str(path).endswith(".weights.h5") and h5py.is_hdf5(path)):
        return None
    recipe = _read_recipe(path)
    if recipe is None or not recipe["preprocessing"]:
        return None
    if recipe["classifier"]:
        raise TfsegError(f"{path} holds an image classifier, not a segmenter")
    preprocessing = Preprocessing.from_dict(recipe["preprocessing"])
    return ModelSpec(recipe["name"], recipe["num_classes"], recipe["options"], preprocessing)


def _run_of(path):
    """The run directory that a checkpoint lies in, or None."""
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    inside = os.path.basename(folder) == CHECKPOINTS and os.path.isfile(f"{path}.index")
    return os.path.dirname(folder) if inside else None


def is_own(path):
    """Whether `path` is a run directory, a checkpoint in one, a .weights.h5 or a .keras file."""
    named = str(path).endswith((".weights.h5", ".keras"))
    return named or os.path.isdir(path) or _run_of(path) is not None


def load_own(model, path, new_head=False):
    """Sets the weights of `model` from one of our files.

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        path: a run directory, a checkpoint in one (run/checkpoints/step-100), a .weights.h5 or a
            .keras file. A .weights.h5 that doesn't say what it belongs to is read as one of this
            kind of model.
        new_head: as for `assign`.

    Returns:
        A `Report`, with the preprocessing that the file or a model.json beside it states.

    Raises:
        TfsegError: the file is missing, damaged, or doesn't fit; no variable was changed.
    """
    card, run = None, _run_of(path)
    if run:
        report = assign(model, readers.read(path), new_head, path)
        spec = find_spec(path)
        return dataclasses.replace(report, preprocessing=spec and spec.preprocessing)
    if os.path.isdir(path):
        path, card = _in_run(path)
    if not os.path.isfile(path):
        raise TfsegError(f"there is no file {path}")
    try:
        if str(path).endswith(".keras"):
            source = keras.models.load_model(path, compile=False)
            return assign(model, _values(source), new_head, path)
        recipe = _read_recipe(path, card)
        if recipe is None or _fits(recipe, model):
            report = _load_in_place(model, path)
        else:
            create = create_classifier if recipe["classifier"] else create_model
            source = create(recipe["name"], recipe["num_classes"], **recipe["options"])
            source.load_weights(path)
            report = assign(model, _values(source), new_head, path)
    except TfsegError:
        raise
    except Exception as error:  # Keras has no one type for "this file doesn't fit"
        reason = " ".join(str(error).split())[:200]
        raise TfsegError(f"can't read the weights in {path}: {reason}") from error
    preprocessing = (recipe or {}).get("preprocessing")
    preprocessing = preprocessing and Preprocessing.from_dict(preprocessing)
    return dataclasses.replace(report, preprocessing=preprocessing)


def _values(model):
    return {path: variable.numpy() for path, variable in weights_of(model).items()}


def _in_run(folder):
    """The paths of a run directory's best weights and of its model.json."""
    card, weights = os.path.join(folder, MODEL_CARD), os.path.join(folder, BEST_WEIGHTS)
    if not os.path.isfile(card):
        raise TfsegError(f"{folder} is not a run directory: it has no {MODEL_CARD}")
    if not os.path.isfile(weights):
        raise TfsegError(
            f"{folder} has no {BEST_WEIGHTS} yet: it is written at the first validation"
        )
    return weights, card


def _read_recipe(path, card=None):
    """What a .weights.h5 says of its model, completed from the model.json of its run."""
    with h5py.File(path, "r") as file:
        recipe = json.loads(file.attrs.get(_RECIPE, "null"))
    if card:
        spec = ModelSpec.load(card)
        stated = {
            "classifier": False,
            "name": spec.name,
            "num_classes": spec.num_classes,
            "options": spec.options,
            "preprocessing": spec.preprocessing.to_dict(),
        }
        recipe = {**stated, **{k: v for k, v in (recipe or {}).items() if v is not None}}
    return recipe


def _fits(recipe, model):
    """Whether the file's model is `model`, so that Keras may read the one into the other.

    Keras numbers layers by their class, so that it would take a block for another where the
    numbers of blocks differ; nothing less than the same recipe will do.
    """
    if not hasattr(model, "name_and_options"):
        return False
    name, options = model.name_and_options
    return recipe["classifier"] == isinstance(model, Classifier) and (
        (recipe["name"], recipe["num_classes"], _essential(recipe["options"]))
        == (name, model.num_classes, _essential(options))
    )


def _essential(options):
    # As JSON has it: tuples are lists.
    return json.dumps({k: v for k, v in options.items() if k not in _HARMLESS}, sort_keys=True)


def _load_in_place(model, path):
    """Lets Keras read the file into the model, and undoes it where Keras stops halfway."""
    before = _values(model)
    try:
        model.load_weights(path)
    except BaseException:
        for name, variable in weights_of(model).items():
            variable.assign(before[name])
        raise
    return Report("tfseg", {name: name for name in before})
