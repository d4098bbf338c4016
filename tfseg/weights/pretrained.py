"""A model in a folder that can be given away: recipe, weights in safetensors, and their digests."""

import os
from typing import Any

import numpy as np

from tfseg.digests import file_digest, sealed, unsealed
from tfseg.errors import TfsegError
from tfseg.files import read_json, replacing, require_there, write_json
from tfseg.models import ModelSpec
from tfseg.weights.assign import weights_of
from tfseg.zoo.hub import CONFIG, WEIGHTS

_LIBRARY = {"library_name": "tfseg"}
_DIGEST = "weights_sha256"


def is_pretrained(folder: str | os.PathLike[str]) -> bool:
    """Whether `write_pretrained` has written there, or a copy of what it wrote lies there."""
    return all(os.path.isfile(os.path.join(folder, name)) for name in (CONFIG, WEIGHTS))


def write_pretrained(
    folder: str | os.PathLike[str], model: Any, spec: ModelSpec, protocol: dict[str, Any]
) -> None:
    """Writes model.safetensors, and last config.json, which vouches for it.

    Args:
        folder: made if missing; other files in it stay.
        model: a `Segmenter`.
        spec: its recipe, with preprocessing and classes.
        protocol: plain values, for `read_pretrained`.

    Raises:
        TfsegError: the folder holds another library's model, or can't be written.
    """
    from safetensors.numpy import save_file

    config, weights = os.path.join(folder, CONFIG), os.path.join(folder, WEIGHTS)
    if os.path.lexists(config):
        _read_config(config)
    arrays = {path: np.array(variable.numpy()) for path, variable in weights_of(model).items()}
    with replacing(weights) as temporary:
        save_file(arrays, temporary, {"format": "tf"})
    recipe = {**_LIBRARY, "recipe": spec.to_dict(), "protocol": protocol}
    write_json(config, sealed({**recipe, _DIGEST: file_digest(weights)}))


def read_pretrained(folder: str | os.PathLike[str]) -> tuple[ModelSpec, dict[str, Any]]:
    """(recipe, protocol) of what `write_pretrained` wrote.

    Raises:
        TfsegError: config.json is missing, damaged, or no segmenter's of tfseg.
    """
    path = os.path.join(folder, CONFIG)
    values = _read_config(path)
    try:
        spec = ModelSpec.from_dict(values.get("recipe"))
        if spec.kind != "segmenter":
            raise TfsegError(f"it describes a {spec.kind}, not a segmenter")
    except TfsegError as error:
        raise TfsegError(f"{path}: {error}") from error
    return spec, values.get("protocol") or {}


def weights_of_pretrained(folder: str | os.PathLike[str]) -> str:
    """The path of the weights, which are those that config.json speaks of.

    Raises:
        TfsegError: they are missing or others.
    """
    config, weights = os.path.join(folder, CONFIG), os.path.join(folder, WEIGHTS)
    require_there(weights)
    stated = _read_config(config).get(_DIGEST)
    try:
        found = file_digest(weights)
    except OSError as error:
        raise TfsegError(f"can't read {weights}: {error.strerror or error}") from error
    if stated != found:
        raise TfsegError(f"{weights} is damaged: it has not the digest that {config} states")
    return weights


def _read_config(path: str) -> dict[str, Any]:
    values = read_json(path)
    if not isinstance(values, dict) or not _LIBRARY.items() <= values.items():
        raise TfsegError(f"{path} describes no model of tfseg")
    return unsealed(values, path)
