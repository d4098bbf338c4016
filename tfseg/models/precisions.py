"""The arithmetic of networks: float32, or half precision with weights kept in float32."""

import contextlib
from collections.abc import Iterator

import keras

from tfseg.errors import unknown
from tfseg.models.table import PRECISIONS


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Models that are built inside compute in "float32", "bfloat16", "float16" or "float64".

    Raises:
        TfsegError: another name.
    """
    if name not in (*PRECISIONS, "float64"):
        raise unknown("precision", name, PRECISIONS)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{name}" if name in PRECISIONS[1:] else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def precision_of(model: keras.Model) -> str:
    """The name of a model's precision, as `precision` takes it."""
    return model.compute_dtype
