"""What came of converting a pair, kept until all parts of a data set are there."""

import dataclasses
import json

import numpy as np

from tfseg.errors import TfsegError
from tfseg.files import atomic_write, damage_is_value_error


@dataclasses.dataclass(frozen=True)
class Stored:
    """A pair that was converted, or couldn't be.

    Attributes:
        split: its split.
        image, label: their names below the data folder, or None; with `error`, the source's.
        values: what `summed` counts of the image, an array.
        counts: int64 [256], as from `convert_label`.
        error: why it can't be used, or None.
    """

    split: str
    image: str
    label: str | None = None
    values: np.ndarray | None = None
    counts: np.ndarray | None = None
    error: str | None = None


def save_stored(path, stored):
    """Writes an iterable of `Stored` to a .npz file, atomically, once it has come to its end.

    Raises:
        TfsegError: it can't be written.
    """
    rows, values, counts = [], [], []
    for one in stored:
        rows.append((one.split, one.image, one.label, one.error))
        if one.error is None:
            values.append(one.values)
            counts.append(one.counts)
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            rows=np.frombuffer(json.dumps(rows).encode(), np.uint8),
            values=np.array(values),
            counts=np.array(counts, np.int64).reshape(-1, 256),
        )


def load_stored(path):
    """The list that `save_stored` wrote.

    Raises:
        TfsegError: the file can't be read.
    """
    try:
        with damage_is_value_error():
            with np.load(path) as arrays:
                rows = json.loads(arrays["rows"].tobytes())
                numbers = iter(zip(arrays["values"], arrays["counts"], strict=True))
            return [
                Stored(split, image, label, *((None, None) if error else next(numbers)), error)
                for split, image, label, error in rows
            ]
    except (OSError, ValueError) as error:
        raise TfsegError(f"{path} is damaged: remove it, and run that part again") from error
