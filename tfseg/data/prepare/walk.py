"""The files below a folder, by names that lists can hold."""

import os

from tfseg.errors import TfsegError


def walk(root, endings):
    """The names of all files below `root` that end so, relative to it."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(endings) and not name.startswith("."):
                path = os.path.relpath(os.path.join(folder, name), root)
                yield require_text(path.replace(os.sep, "/"), root)


def require_text(name, folder):
    """`name`, if it can stand in a UTF-8 list.

    Raises:
        TfsegError: the file's name isn't UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name)
        raise TfsegError(f"{folder} has a file whose name is not UTF-8: {shown}") from error
    return name
