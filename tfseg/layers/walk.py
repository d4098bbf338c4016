"""The layers in a layer."""

from collections.abc import Iterator
from typing import Any

import keras


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """All layers in a layer or model, at any depth, each once.

    Keras tells a model's own layers (`model.layers`) and nothing of those in a layer. They are
    attributes, or stand in lists and dicts that are.
    """
    found, waiting = {}, [layer]
    while waiting:
        for one in _layers_in(list(vars(waiting.pop()).values())):
            if id(one) not in found and one is not layer:
                found[id(one)] = one
                waiting.append(one)
    return list(found.values())


def _layers_in(value: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(value, keras.layers.Layer):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _layers_in(one)
