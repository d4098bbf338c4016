"""Tables of rows: everything that comes in kinds, as plain data that names its code."""

import collections.abc
import dataclasses
import functools
import importlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

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

    Where a row's name is asked for, the row itself will do, and in Python an object that a row
    would name, if the table knows what to make of it.

    Args:
        kind: what a row is, in words for messages: "loss", "encoder".
        rows: the first rows.
        row_of: makes a row of an object, under the name that it is given; for what is no such
            object it raises TypeError, which says what the argument must be.
    """

    def __init__(
        self,
        kind: str,
        rows: Iterable[AnyRow] = (),
        row_of: Callable[[str, Any], AnyRow] | None = None,
    ):
        self.kind = kind
        self._row_of = row_of
        self._rows: dict[str, AnyRow] = {}
        for row in rows:
            self.register(row)

    def __getitem__(self, name: str) -> AnyRow:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, name: Any) -> AnyRow:
        """The row of a name; a row, or an object as a row of its own, which isn't registered.

        Raises:
            TfsegError: there is none; the message has the nearest names.
        """
        if isinstance(name, Row):
            return cast(AnyRow, name)
        if self._row_of and not isinstance(name, str):
            try:
                return self._row_of(object_name(name), name)
            except TypeError as error:
                raise TfsegError(f"{error}, not {name!r}") from error
        if name not in self._rows:
            raise self.missing(name)
        return self._rows[name]

    def missing(self, name: str, kind: str = "") -> TfsegError:
        """The error of a name that isn't here, with the nearest ones; `kind` in place of ours."""
        kind = kind or self.kind
        if self._row_of and re.match(r"[^\W\d]\w*\.[^\W\d]", name):
            return TfsegError(
                f"{kind} {name} was an object, which Python alone can give again; rows that a "
                "module registers have names"
            )
        return unknown(kind, name, self._rows)

    def parse(self, value: Any) -> tuple[tuple[AnyRow, float | None], ...]:
        """((row, number), …) of "first:0.5,second"; None where no number is given.

        Args:
            value: such a text; what `find` takes; or a list of these, each alone or as a pair with
                its number.

        Raises:
            TfsegError: an unknown name, one that comes twice, or what isn't a number.
        """
        found: dict[str, tuple[AnyRow, float | None]] = {}
        for name, number in _parts(value):
            row = self.find(name)
            if row.name in found:
                raise TfsegError(f"the {self.kind} {row.name} comes twice in '{self.text(value)}'")
            try:
                factor = None if number is None else float(number)
            except (TypeError, ValueError):
                factor = math.nan
            if factor is not None and not math.isfinite(factor):
                raise TfsegError(f"the {self.kind} {row.name} takes a number, not '{number}'")
            found[row.name] = row, factor
        return tuple(found.values())

    def text(self, value: Any) -> str:
        """What `parse` or `find` takes, as a text: how a run's record has it."""
        if isinstance(value, str):
            return value
        parts = [(self.find(name).name, number) for name, number in _parts(value)]
        return ",".join(name if number is None else f"{name}:{number}" for name, number in parts)

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


def object_name(value: Any) -> str:
    """What an object is called in records: its module and name, with its plain attributes.

    "my_losses.Smooth(gamma=2.0)", without commas and colons. Two that are told apart by none of
    this have the same name.

    Raises:
        TfsegError: it is a lambda.
    """
    if isinstance(value, functools.partial):
        return object_name(value.func) + _attributes(value.keywords)
    if getattr(value, "__name__", "") == "<lambda>":
        raise TfsegError("a lambda has no name that a record could tell apart: take a function")
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return object_name(type(value)) + _attributes(getattr(value, "__dict__", {}))


def _attributes(values: Mapping[str, Any]) -> str:
    plain = {
        name: value
        for name, value in values.items()
        if isinstance(value, bool | int | float)
        or (isinstance(value, str) and re.fullmatch(r"[\w. -]*", value))
    }
    return f"({';'.join(f'{name}={value}' for name, value in plain.items())})" if plain else ""


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """(name, number or None), … of what `Table.parse` takes."""
    if isinstance(value, str):
        for part in value.split(","):
            name, colon, number = (piece.strip() for piece in part.partition(":"))
            yield name, number if colon else None
    elif isinstance(value, list | tuple):
        for one in value:
            pair = isinstance(one, list | tuple)
            if pair and len(one) != 2:
                raise TfsegError(f"{one!r} must be a name or object, or one with its number")
            yield tuple(one) if pair else (one, None)
    else:
        yield value, None
