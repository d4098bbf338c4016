"""Opening files that a user names, and writing so that a crash never leaves half of one."""

import codecs
import contextlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from tfseg.errors import TfsegError

# Not even a search for *.png finds what a killed process leaves.
_PART = ".part"

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_file(path: str | os.PathLike[str]) -> None:
    """Refuses what is there but is no regular file: opening a pipe or a device may never end.

    Raises:
        TfsegError: a folder, named pipe, socket or device. Of what isn't there or can't be asked,
            whoever opens it says more.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        kind = next((name for known, name in _KINDS if known(mode)), "something else")
        raise TfsegError(f"{path} is {kind}, not a file")


def require_there(path: str | os.PathLike[str]) -> None:
    """Refuses what isn't there, and what `require_file` refuses.

    Raises:
        TfsegError: one line that says which.
    """
    require_file(path)
    if not os.path.isfile(path):
        raise TfsegError(f"there is no file {path}")


def open_file(path: str | os.PathLike[str], mode: str = "rb", **options: Any) -> IO[Any]:
    """`open` for what a user names: see `require_file`."""
    require_file(path)
    return open(path, mode, **options)


@contextlib.contextmanager
def damage_is_value_error() -> Iterator[None]:
    """Within, what readers raise of a damaged file becomes a ValueError of one line.

    It shows as any of a dozen types: of zipfile, zlib, struct, NumPy and its parser. What the
    system says (OSError) and what is a message already (TfsegError) stay what they are.
    """
    try:
        yield
    except (OSError, TfsegError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(reason or type(error).__name__) from error


@contextlib.contextmanager
def replacing(path: str, ending: str | None = None) -> Iterator[str]:
    """The path of a temporary file beside `path`, renamed to `path` on success.

    For writers that want a path. The temporary one starts with a dot, so that a listing never
    shows a file in the making. The folder is made if missing.

    Args:
        path: the file to (re)place.
        ending: of the temporary file's name; default that of `path`'s, by which some writers
            choose a format.

    Raises:
        TfsegError: the folder or the file can't be written (permissions, disk full).
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    temporary = None
    try:
        os.makedirs(folder or ".", exist_ok=True)
        temporary = _create(folder, ending or f".{name[-20:]}")
        yield temporary
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise TfsegError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _create(folder: str, ending: str) -> str:
    """The path of a new and empty file, which whoever may read new files of this process may read.

    `tempfile` makes files for the user alone, and nothing says what others may do without setting
    it, for all threads.
    """
    path = os.path.join(folder, f".{secrets.token_hex(4)}{ending}")
    open(path, "xb").close()
    return path


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "wb") -> Iterator[IO[Any]]:
    """Opens a temporary file beside `path` and renames it to `path` on success.

    Args:
        path: the file to (re)place; its folder is made if missing.
        mode: "wb" or "w" (UTF-8).

    Raises:
        TfsegError: the folder or the file can't be written (permissions, disk full).
    """
    encoding = None if "b" in mode else "utf-8"
    with replacing(path, _PART) as temporary, open(temporary, mode, encoding=encoding) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def remove_parts(folder: str) -> None:
    """Removes what killed writers have left in a folder that no other process writes to."""
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if re.fullmatch(rf"\.[a-z0-9_]{{8}}\{_PART}", name):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))


@contextlib.contextmanager
def replacing_folder(path: str, mark: str) -> Iterator[str]:
    """The path of a temporary folder beside `path`, renamed to `path` on success.

    Args:
        path: the folder to (re)place.
        mark: a file, relative to the folder, that only an earlier one of its kind has: nothing
            else is replaced.

    Raises:
        TfsegError: something else is there, or the folder can't be written.
    """
    path = os.path.abspath(os.fspath(path))
    parent, name = os.path.split(path)
    if os.path.lexists(path) and not os.path.isfile(os.path.join(path, mark)):
        empty = os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)
        if not empty:
            raise TfsegError(f"{path} exists and would be overwritten: choose another folder")
    work = None
    try:
        os.makedirs(parent, exist_ok=True)
        work = tempfile.mkdtemp(prefix=".", suffix=f".{name}", dir=parent)
        new = os.path.join(work, "new")
        os.mkdir(new)
        yield new
        _put_folder(new, path, os.path.join(work, "old"))
    except OSError as error:
        raise TfsegError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _put_folder(new: str, path: str, old: str) -> None:
    """Moves a folder to `path`, and what was there to `old`; where that fails, it is there again.

    A folder can't take another's place in one step.
    """
    there = os.path.lexists(path)
    if there:
        os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        if there:
            os.replace(old, path)
        raise


def write_json(path: str, value: Any) -> None:
    """Writes `value` as indented JSON, atomically."""
    with atomic_write(path, "w") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


# Of what people and programs write as text, the largest are lists of some million names.
_LARGEST_TEXT = 1 << 30


def read_text(path: str) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark, or in UTF-16 with one.

    Raises:
        TfsegError: the file can't be read, is larger than 1 GiB, or is in another encoding; the
            message names the first line that is.
    """
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST_TEXT:
                raise TfsegError(f"{path} is no text file of ours: it has {size >> 20} MiB")
            content = file.read()
    except OSError as error:
        raise TfsegError(f"can't read {path}: {error.strerror or error}") from error
    # Windows' editors start UTF-8 with the mark; its PowerShell writes UTF-16.
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "UTF-16"
    else:
        encoding, content = "UTF-8", content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].splitlines(keepends=True)
        line = (before[-1] if before else b"") + content[error.start :].splitlines()[0]
        raise TfsegError(
            f"{path}, line {max(len(before), 1)}: text that is not {encoding}: {line.strip()[:80]}"
        ) from error


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or has a number of thousands of digits;
            one line that says where.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{error.msg} at {where}") from error
    except RecursionError as error:
        raise ValueError("lists and objects are nested too deeply") from error


def read_json(path: str) -> Any:
    """The value of a JSON file.

    Raises:
        TfsegError: the file is missing or isn't JSON; the message names line and column.
    """
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        raise TfsegError(f"{path} is not valid JSON: {error}") from error
