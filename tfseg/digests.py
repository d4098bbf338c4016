"""SHA-256 digests in and beside our own files, so that damage is told before it is read."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from tfseg.errors import TfsegError

# What follows a file's content, before its digest: HDF5 and its readers look at neither.
_MARK = b"\nsha256 of all before this line: "
_LENGTH = len(_MARK) + 64 + 1
_CHUNK = 1 << 20
_ENTRY = "digest"


def file_digest(path: str, size: int | None = None, sync: bool = False) -> str:
    """The hexadecimal SHA-256 of a file, or of its first `size` bytes.

    Args:
        sync: wait until the file is on the disk, for a digest that is to vouch for it.

    Raises:
        OSError: it can't be read.
    """
    digest, left = hashlib.sha256(), float("inf") if size is None else size
    with open(path, "rb") as file:
        if sync:
            os.fsync(file.fileno())
        while chunk := file.read(int(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def seal(content: bytes) -> bytes:
    """The line to write after `content`, bytes, by which `check_seal` knows it again."""
    return _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n"


def check_seal(path: str) -> None:
    """Compares a file with the line that `seal` put at its end; one without is taken as it is.

    Raises:
        TfsegError: the content isn't what was written, or it can't be read.
    """
    try:
        size = os.path.getsize(path) - _LENGTH
        if size < 0:
            return
        with open(path, "rb") as file:
            file.seek(size)
            line = file.read()
        if not line.startswith(_MARK):
            return
        right = file_digest(path, size).encode() == line[len(_MARK) : -1]
    except OSError as error:
        raise TfsegError(f"can't read {path}: {error.strerror or error}") from error
    if not right:
        raise TfsegError(f"{path} is damaged: its content has not the digest that it states")


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the entry by which `unsealed` knows it again."""
    return {**values, _ENTRY: _json_digest(values)}


def unsealed(values: dict[str, Any], path: str) -> dict[str, Any]:
    """What `sealed` was given; an object without a digest is taken as it is.

    Raises:
        TfsegError: the values aren't those that were written; the message names `path`.
    """
    if _ENTRY not in values:
        return values
    values = dict(values)
    if values.pop(_ENTRY) != _json_digest(values):
        raise TfsegError(
            f"{path} has not the digest that it states: it is damaged, or was changed by hand; "
            f'if its values are right, remove its entry "{_ENTRY}"'
        )
    return values


def _json_digest(values: Mapping[str, Any]) -> str:
    # As they are read back: text sorts otherwise than the numbers that keys may have been.
    values = json.loads(json.dumps(values))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
