"""What an exported model says of itself."""

import os

from tfseg.errors import TfsegError
from tfseg.files import read_json
from tfseg.models.precisions import precision_of
from tfseg.weights import weights_digest

CARD = "tfseg.json"
FORMAT = 1


def model_card(predictor):
    """Plain values that identify an exported model and say what its labels mean.

    Returns:
        A dict: "model" and "options" as for `create_model`, "num_classes", "classes" (names, or
        None), "palette" ([r, g, b] of each class, 0..255), "preprocessing" (already inside the
        export), "precision" of its arithmetic, "protocol" (as in metrics.json),
        "weights_sha256" (see `weights_digest`).
    """
    spec = predictor.spec
    return {
        "format": FORMAT,
        "model": spec.name,
        "options": spec.options,
        "num_classes": spec.num_classes,
        "classes": spec.classes,
        "palette": predictor.palette,
        "preprocessing": spec.preprocessing.to_dict(),
        "precision": precision_of(predictor.model),
        "protocol": predictor.inference.protocol,
        "weights_sha256": weights_digest(predictor.model),
    }


def read_card(folder):
    """What the SavedModel in `folder` says of itself; see `model_card`.

    Raises:
        TfsegError: it isn't one that `export` wrote.
    """
    path = os.path.join(folder, "assets", CARD)
    if not os.path.isfile(path):
        raise TfsegError(f"{folder} is no export of tfseg: there is no {path}")
    return read_json(path)
