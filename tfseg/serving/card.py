"""What an exported model says of itself."""

import hashlib

import numpy as np

from tfseg.weights.assign import weights_of

CARD = "tfseg.json"
FORMAT = 1


def model_card(predictor):
    """Plain values that identify an exported model and say what its labels mean.

    Returns:
        A dict: "model" and "options" as for `create_model`, "num_classes", "classes" (names, or
        None), "palette" ([r, g, b] of each class, 0..255), "preprocessing" (already inside the
        export), "protocol" (as in metrics.json), "weights_sha256" (see `weights_digest`).
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
        "protocol": predictor.inference.protocol,
        "weights_sha256": weights_digest(predictor.model),
    }


def weights_digest(model):
    """A SHA-256 that is the same for the same weights, whatever file they came from.

    It is taken over the shape and the little-endian float32 values of each weight, in the order
    of the model's variables.
    """
    digest = hashlib.sha256()
    for variable in weights_of(model).values():
        value = np.asarray(variable, "<f4")
        digest.update(str(value.shape).encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
