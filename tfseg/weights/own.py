"""Our own files: .weights.h5, .keras, and run directories."""

import json
import os

import h5py
import keras

from tfseg.errors import TfsegError
from tfseg.files import replacing
from tfseg.models import Classifier, ModelSpec, create_classifier, create_model

BEST_WEIGHTS = "best.weights.h5"
MODEL_CARD = "model.json"
_RECIPE = "tfseg_model"


def save_weights(model, path):
    """Writes a model's weights as a Keras .weights.h5 file that also says which model they fit.

    The file appears under its name only when it is complete.

    Raises:
        TfsegError: the file can't be written, or its name doesn't end in ".weights.h5".
    """
    if not str(path).endswith(".weights.h5"):
        raise TfsegError(f"a file of weights is named *.weights.h5, not {path}")
    name, options = model.name_and_options
    recipe = {
        "classifier": isinstance(model, Classifier),
        "name": name,
        "num_classes": model.num_classes,
        "options": options,
    }
    with replacing(path) as temporary:
        try:
            model.save_weights(temporary, overwrite=True)
            with h5py.File(temporary, "r+") as file:
                file.attrs[_RECIPE] = json.dumps(recipe)
        except RuntimeError as error:  # how HDF5 reports a full disk when it closes a file
            raise OSError(str(error)) from error


def is_own(path):
    """Whether `path` is a run directory, a .weights.h5 or a .keras file."""
    return os.path.isdir(path) or str(path).endswith((".weights.h5", ".keras"))


def read_own(path, model):
    """The variables in one of our files as {variable path: array}.

    Args:
        path: a run directory, a .weights.h5 or a .keras file.
        model: the model that the weights are for; a .weights.h5 that doesn't say what it belongs
            to is read as one of this kind.

    Raises:
        TfsegError: the file is missing, damaged, or fits no model.
    """
    if os.path.isdir(path):
        return _read_run(path)
    if not os.path.isfile(path):
        raise TfsegError(f"there is no file {path}")
    try:
        if str(path).endswith(".keras"):
            source = keras.models.load_model(path, compile=False)
        else:
            source = _built_for(path, model)
            source.load_weights(path)
    except TfsegError:
        raise
    except Exception as error:  # Keras has no one type for "this file doesn't fit"
        reason = " ".join(str(error).split())[:200]
        raise TfsegError(f"can't read the weights in {path}: {reason}") from error
    return {variable.path: variable.numpy() for variable in source.variables}


def _read_run(path):
    weights = os.path.join(path, BEST_WEIGHTS)
    if not os.path.isfile(os.path.join(path, MODEL_CARD)):
        raise TfsegError(f"{path} is not a run directory: it has no {MODEL_CARD}")
    if not os.path.isfile(weights):
        raise TfsegError(f"{path} has no {BEST_WEIGHTS} yet: it is written at the first validation")
    return read_own(weights, ModelSpec.load(os.path.join(path, MODEL_CARD)).build())


def _built_for(path, model):
    """A model of the kind whose weights the file says it holds."""
    with h5py.File(path, "r") as file:
        recipe = json.loads(file.attrs.get(_RECIPE, "null"))
    if recipe is None:
        return type(model).from_config(model.get_config())
    create = create_classifier if recipe["classifier"] else create_model
    return create(recipe["name"], recipe["num_classes"], **recipe["options"])
