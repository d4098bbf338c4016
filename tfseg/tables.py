"""Tables of rows: everything that comes in kinds, as plain data that names its code."""

import collections.abc
import dataclasses
import functools
import importlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from tfseg.errors import TfsegError, unknown


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of something; tables with more facts to a row have subclasses of it.

    Attributes:
        name: what users write.
        code: "module:object", imported at first use, so that reading a table imports no
            TensorFlow; or the object itself.
        help: what it is, in one line.
    """

    name: str
    code: Any
    help: str = ""

    def load(self) -> Any:
        """The object that `code` names.

        Raises:
            TfsegError: there is no such module or object.
        """
        if not isinstance(self.code, str):
            return self.code
        module, _, path = self.code.partition(":")
        try:
            return functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):
                raise
            raise TfsegError(f"{self.name} needs {self.code}: {error}") from error
        except AttributeError as error:
            raise TfsegError(f"{self.name} needs {self.code}: {error}") from error


AnyRow = TypeVar("AnyRow", bound=Row)


class Table(collections.abc.Mapping[str, AnyRow], Generic[AnyRow]):
    """{name: row} in the order of registration, which users' modules may add to.

    Args:
        kind: what a row is, in words for messages: "loss", "encoder".
        rows: the first rows.
    """

    def __init__(self, kind: str, rows: Iterable[AnyRow] = ()):
        self.kind = kind
        self._rows: dict[str, AnyRow] = {}
        for row in rows:
            self.register(row)

    def __getitem__(self, name: str) -> AnyRow:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, name: str) -> AnyRow:
        """The row of a name.

        Raises:
            TfsegError: there is none; the message has the nearest names.
        """
        if name not in self._rows:
            raise unknown(self.kind, name, self._rows)
        return self._rows[name]

    def parse(self, text: str) -> tuple[tuple[AnyRow, float | None], ...]:
        """((row, number), …) of "first:0.5,second"; None where no number is given.

        Raises:
            TfsegError: an unknown name, one that comes twice, or what isn't a number.
        """
        found: dict[str, tuple[AnyRow, float | None]] = {}
        for part in text.split(","):
            name, colon, number = (piece.strip() for piece in part.partition(":"))
            row = self.find(name)
            if name in found:
                raise TfsegError(f"the {self.kind} {name} comes twice in '{text}'")
            try:
                value = float(number) if colon else None
            except ValueError:
                value = math.nan
            if value is not None and not math.isfinite(value):
                raise TfsegError(f"the {self.kind} {name} takes a number, not '{number}'")
            found[name] = row, value
        return tuple(found.values())

    def help(self, keep: Callable[[AnyRow], bool] = lambda row: True) -> str:
        """The rows, or those to `keep`, in a line, for the help of what chooses among them."""
        rows = [row for row in self.values() if keep(row)]
        return "; ".join(f"{row.name}: {row.help}" if row.help else row.name for row in rows)

    def register(self, row: AnyRow) -> AnyRow:
        """Adds a row and returns it.

        Raises:
            TfsegError: its name is taken.
        """
        if row.name in self._rows:
            raise TfsegError(f"there is a {self.kind} '{row.name}' already: take another name")
        self._rows[row.name] = row
        return row
