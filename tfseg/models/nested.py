"""Encoders and decoders in the config of a model."""

import importlib
from typing import Any

import keras

from tfseg.decoders.table import DECODERS
from tfseg.encoders.table import ENCODERS


def restore(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The encoder or decoder that `keras.saving.serialize_keras_object` made `config` of."""
    name = str(config.get("registered_name"))
    if name.startswith("tfseg>"):
        # Keras knows a class once its module is imported, and rows import theirs at first use.
        for row in (*ENCODERS.values(), *DECODERS.values()):
            if isinstance(row.code, str) and row.code.startswith("tfseg."):
                row.load()
        importlib.import_module("tfseg.encoders.features")
    return keras.saving.deserialize_keras_object(config, custom_objects)
