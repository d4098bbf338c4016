"""The numbers of every image of an evaluation, kept small, and sums of them."""

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfseg.errors import TfsegError
from tfseg.evaluation.metrics import MEASURES, METRICS, Settings
from tfseg.files import atomic_write, damage_is_value_error
from tfseg.parts import interleave

FILE_NAME = "images.npz"
# Bumped whenever a measure changes its meaning: older files are computed anew.
_VERSION = 1
# Images that are spread out at once.
_CHUNK = 256


@dataclasses.dataclass
class Records:
    """An evaluation image by image.

    A row holds the measures of an image one after the other. Only what isn't 0 is kept, as an
    image shows few of many classes: 5,000 images with 14 of 182 classes each take 12 MB for their
    confusion matrices, and 36 MB for all measures.

    Attributes:
        names: of the images.
        settings: `Settings`.
        measures: names of what was measured.
        rows: (places, values) of each image: int32 and float64, or None where nothing is known.
        marks: for each image, what its numbers depend on, as text; "" where unknown.
        facts: the evaluation's protocol, classes and so on, as plain values.
    """

    names: list[str]
    settings: Settings
    measures: tuple[str, ...]
    rows: list[tuple[np.ndarray, np.ndarray] | None]
    marks: list[str]
    facts: dict[str, Any]

    @classmethod
    def empty(cls, names, settings, measures, facts=None) -> "Records":
        """Records of images that nothing is known of yet."""
        names = list(names)
        rows: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(names)
        return cls(names, settings, tuple(measures), rows, [""] * len(names), dict(facts or {}))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def whole(self) -> bool:
        """Whether every image is there."""
        return all(row is not None for row in self.rows)

    def put(self, index: int, row: np.ndarray, mark: str = "") -> None:
        """Takes what `measures.measure` has of an image."""
        places = np.flatnonzero(row).astype(np.int32)
        self.rows[index] = places, row[places]
        self.marks[index] = mark

    def picked(self, indices: Sequence[int]) -> "Records":
        """Records of some of the images."""
        columns = {
            name: [getattr(self, name)[i] for i in indices] for name in ("names", "rows", "marks")
        }
        return dataclasses.replace(self, **columns)

    @classmethod
    def joined(cls, parts: Sequence["Records"]) -> "Records":
        """The records of a whole list, from those of its `tfseg.parts.Part`s in order."""
        columns = {
            name: interleave([getattr(part, name) for part in parts])
            for name in ("names", "rows", "marks")
        }
        return dataclasses.replace(parts[0], **columns)

    @property
    def row_length(self) -> int:
        """How many numbers `measures.measure` has of an image."""
        shapes = (MEASURES[name].shape(self.settings) for name in self.measures)
        return sum(int(np.prod(shape)) for shape in shapes)

    def row(self, index: int) -> np.ndarray:
        """What `put` took of an image: float64, zeros where nothing is known."""
        result = np.zeros(self.row_length)
        if self.rows[index] is not None:
            places, values = self.rows[index]
            result[places] = values
        return result

    def _span(self, measure):
        """(first place, place after the last, shape) of a measure in a row."""
        start = 0
        for name in self.measures:
            shape = MEASURES[name].shape(self.settings)
            stop = start + int(np.prod(shape))
            if name == measure:
                return start, stop, shape
            start = stop
        raise TfsegError(f"the measure '{measure}' was not taken: evaluate again")

    def dense(self, measure: str, indices: Iterable[int] | None = None) -> np.ndarray:
        """A measure of each image: float64 [images, *its shape]."""
        start, stop, shape = self._span(measure)
        indices = range(len(self)) if indices is None else indices
        rows = [self.rows[index] for index in indices]
        result = np.zeros([len(rows), stop - start])
        for into, row in zip(result, rows, strict=True):
            if row is not None:
                places, values = row
                first, last = np.searchsorted(places, [start, stop])
                into[places[first:last] - start] = values[first:last]
        return result.reshape(len(rows), *shape)

    def total(self, measure: str, weights: np.ndarray | None = None) -> np.ndarray:
        """The sum of a measure over images.

        Args:
            measure: its name.
            weights: how often each image counts: [..., images]; None for once.

        Returns:
            float64 [..., *the measure's shape].
        """
        shape = self._span(measure)[2]
        weights = np.ones(len(self)) if weights is None else weights
        total = np.zeros([*weights.shape[:-1], int(np.prod(shape))])
        for start in range(0, len(self), _CHUNK):
            part = range(start, min(start + _CHUNK, len(self)))
            values = self.dense(measure, part).reshape(len(part), -1)
            # The columns in which there is anything: products of zeros are time for nothing.
            used = np.flatnonzero(values.any(0))
            total[..., used] += weights[..., start : part.stop] @ values[:, used]
        return total.reshape(*weights.shape[:-1], *shape)

    def value(self, metric: str, weights: np.ndarray | None = None) -> np.ndarray:
        """A metric of the images, float64; see `total` and `METRICS`."""
        return self.values([metric], weights)[metric]

    def values(
        self, metrics: Iterable[str], weights: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """{name: value} of some metrics; each measure is added up once."""
        totals: dict[str, np.ndarray] = {}
        result = {}
        for name in metrics:
            row = METRICS.find(name)
            if row.measure not in totals:
                totals[row.measure] = self.total(row.measure, weights)
            absent = self.facts.get("absent_classes", "skip")
            result[name] = row.load()(totals[row.measure], absent)
        return result

    def available(self, of: str | None = None) -> list[str]:
        """Names of the metrics that what was measured allows; `of` as in `Metric`."""
        return [
            name
            for name, row in METRICS.items()
            if row.measure in self.measures and of in (None, row.of)
        ]

    def matrix(self) -> np.ndarray:
        """The confusion matrix, int64 [C, C + 1], rows truth; see `count_pairs`."""
        return self.total("confusion").astype(np.int64)

    def save(self, path: str) -> None:
        """Writes all to a .npz file, atomically.

        Raises:
            TfsegError: it can't be written.
        """
        known = [index for index, row in enumerate(self.rows) if row is not None]
        rows = [self.rows[index] for index in known]
        head = {
            "version": _VERSION,
            "names": self.names,
            "marks": self.marks,
            "known": known,
            "settings": dataclasses.asdict(self.settings),
            "measures": list(self.measures),
            "facts": self.facts,
        }
        with atomic_write(path) as file:
            np.savez_compressed(
                file,
                head=np.frombuffer(json.dumps(head).encode(), np.uint8),
                lengths=np.array([len(places) for places, _ in rows], np.int64),
                places=np.concatenate([np.zeros(0, np.int32), *(row[0] for row in rows)]),
                values=np.concatenate([np.zeros(0), *(row[1] for row in rows)]),
            )

    @classmethod
    def load(cls, path: str) -> "Records":
        """Reads what `save` wrote.

        Raises:
            TfsegError: it is missing, damaged, or of another version.
        """
        if not os.path.isfile(path):
            raise TfsegError(f"there is no {path}: it comes with an evaluation")
        try:
            with damage_is_value_error():
                return cls._read(path)
        except (OSError, ValueError) as error:
            raise TfsegError(f"{path} is damaged or no evaluation of tfseg's: {error}") from error

    @classmethod
    def _read(cls, path):
        with np.load(path) as arrays:
            head = json.loads(arrays["head"].tobytes())
            lengths, places, values = (arrays[x] for x in ("lengths", "places", "values"))
        if head["version"] != _VERSION:
            raise TfsegError(f"{path} is of another version of tfseg: evaluate again")
        settings = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in head["settings"].items()
        }
        records = cls.empty(head["names"], Settings(**settings), head["measures"])
        cuts = np.cumsum(lengths)[:-1]
        parts = zip(np.split(places, cuts), np.split(values, cuts), strict=True)
        for index, row in zip(head["known"], parts, strict=False):
            records.rows[index] = row
        records.marks, records.facts = head["marks"], head["facts"]
        return records
