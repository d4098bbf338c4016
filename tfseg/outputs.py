"""What results are called, and where they may be written.

Names come from data: lists, archives, other people's folders. Whatever they hold, a result lies
below the folder that was named for it, meets no other of its run, and takes no input's place.
"""

import collections
import functools
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable

from tfseg.errors import TfsegError

# Most file systems take 255 bytes; endings, and those of temporary names, come on top.
_COMPONENT_BYTES = 200
_FOLDERS_BYTES = 1000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DRIVE = re.compile(r"[A-Za-z]:")
# Control characters, line separators, and halves of characters, which no encoding takes.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def stems(names: Iterable[str]) -> list[str]:
    """What the results of files with these names are called, without an ending.

    A stem is a relative path: the file's own, less its extension, a leading slash, drive or scheme,
    and less whatever leads upwards. Names that differ in their extension alone keep it; others that
    would still meet, and repeated ones, get a mark such as "~5f3c8e01". What can't be written
    becomes "_", and what is too long is cut and marked. All else stays, in any script.

    Args:
        names: paths as lists or folders have them, of either slash.

    Returns:
        A list of distinct texts, also where upper and lower case are one. None becomes a folder of
        another with any ending (".png"), the same or different ones, of at most 30 bytes.
    """
    return _distinct([(name, *_components(name)) for name in names])


def folder_names(names: Iterable[str]) -> list[str]:
    """Distinct names of folders, side by side, for any texts, such as classes; see `stems`."""
    return _distinct([(name, [], _clean(re.sub(r"[/\\:]", "_", name)), "") for name in names])


def ending(path: str) -> str:
    """The extension of a file's name, ".png", as it can stand after a stem; "" for odd ones."""
    extension = os.path.splitext(path)[1]
    return extension if re.fullmatch(r"\.\w{1,7}", extension) else ""


def require_plain(name: str, kind: str) -> None:
    """Checks that a name can be part of a file's name as it is.

    Raises:
        TfsegError: it can't; the message calls it a `kind`.
    """
    if folder_names([name]) != [name]:
        raise TfsegError(f"the {kind} {name!r} can't be part of a file's name")


def _components(name: str) -> tuple[list[str], str, str]:
    """(folders, last part, its extension) of a path, none of which leads anywhere but down."""
    name = _SCHEME.sub("", name, count=1).replace("\\", "/")
    if _DRIVE.match(name):
        name = name.replace(":", "/", 1)
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(_clean(part))
    *folders, last = parts or ["_"]
    last, extension = os.path.splitext(last)
    return folders, _clean(last), extension


def _clean(part: str) -> str:
    part = _UNWRITABLE.sub("_", part)
    # Windows takes no notice of dots and spaces at the end.
    return part if part.strip(". ") else "_"


def _distinct(rows: Iterable[tuple[str, list[str], str, str]]) -> list[str]:
    """The stems of (name, folders, last part, its extension)."""
    times: collections.Counter[str] = collections.Counter()
    entries = []
    for name, folders, last, extension in rows:
        entries.append(_Entry(name, times[name], folders, last, extension))
        times[name] += 1
    while crowded := _crowded(entries):
        for entry in crowded:
            entry.step()
    return [entry.stem for entry in entries]


class _Entry:
    """A name on its way to a stem: each step changes it more."""

    def __init__(self, name: str, repetition: int, folders: list[str], last: str, extension: str):
        self._name, self._repetition = name, repetition
        self._last, self._extension = last, extension
        self.folder = "/".join(map(_shortened, folders))
        if len(self.folder.encode()) > _FOLDERS_BYTES:
            self.folder = _mark(self.folder)
        # The second of two equal names can only be marked.
        self._steps = 2 if repetition else 0
        self._make()

    def step(self) -> None:
        self._steps += 1
        self._make()

    def _make(self) -> None:
        last = _shortened(self._last + (self._extension if self._steps == 1 else ""))
        if self._steps > 1:
            last += _mark(f"{self._steps} {self._repetition} {self._name}")
        self.stem = f"{self.folder}/{last}" if self.folder else last
        self.key = _folded(self.stem)


def _crowded(entries: list[_Entry]) -> list[_Entry]:
    """The entries that meet another, or whose result would be a folder of another."""
    groups = collections.defaultdict(list)
    for entry in entries:
        groups[entry.key].append(entry)
    like_files = set()
    for folder in {entry.folder for entry in entries}:
        while folder:
            base, extension = os.path.splitext(folder)
            if extension:
                like_files.add(_folded(base))
            folder = folder.rpartition("/")[0]
    return [
        entry
        for key, group in groups.items()
        if len(group) > 1 or key in like_files
        for entry in group
    ]


def _shortened(text: str) -> str:
    content = text.encode()
    if len(content) <= _COMPONENT_BYTES:
        return text
    return content[:_COMPONENT_BYTES].decode(errors="ignore") + _mark(text)


def _mark(text: str) -> str:
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"~{digest[:8]}"


def _folded(text: str) -> str:
    """The same for what a file system that ignores case, or kinds of accents, takes for one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


class OutputFolder:
    """A folder of results. Its methods may be called from several threads.

    Args:
        folder: its path; it need not be there.
        inputs: paths of the files that the results are made from.
    """

    def __init__(self, folder: str, inputs: Iterable[str] = ()):
        self.folder = os.fspath(folder)
        self._inputs = inputs

    def path(self, name: str) -> str:
        """Where to write the result `name`, a relative path made of `stems`.

        Raises:
            TfsegError: a link in the folder leads out of it, or one of the inputs is there.
        """
        path = os.path.join(self.folder, name)
        home, parent = os.path.realpath(self.folder), os.path.realpath(os.path.dirname(path))
        if os.path.commonpath([home, parent]) != home:
            raise TfsegError(
                f"{path} would be written to {parent}: a link leads out of {self.folder}"
            )
        if os.path.lexists(path) and _identity(path) in self._known:
            raise TfsegError(f"{path} is one of the files that are read: name another folder")
        return path

    @functools.cached_property
    def _known(self) -> set[tuple[int, int] | None]:
        # Where nothing is there yet, which is usual, no input need be looked at.
        return {_identity(path) for path in self._inputs} - {None}


def require_apart(path: str, inputs: Iterable[str]) -> None:
    """Checks that a file to write is none of those that are read.

    Raises:
        TfsegError: it is one.
    """
    found = _identity(path)
    if found is not None and any(_identity(one) == found for one in inputs):
        raise TfsegError(f"{path} is one of the files that are read: name another to write")


def files_below(path: str) -> list[str]:
    """The path itself, or those of all files in the folder that it names."""
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names]


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a file from every other, through links; None if there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
