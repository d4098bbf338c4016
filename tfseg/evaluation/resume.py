"""Results that are there already, so that an interrupted run does only what is missing."""

import os

from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json

FILE_NAME = "settings.json"


class Outputs:
    """A folder of results and the settings that they were made with.

    Results of other settings don't count: they are made anew.

    Args:
        folder: made if missing; gets settings.json.
        settings: whatever changes the results, as plain values.

    Raises:
        TfsegError: the folder can't be written.
    """

    def __init__(self, folder, settings):
        self.folder = folder
        path = os.path.join(folder, FILE_NAME)
        settings = {name: _plain(value) for name, value in settings.items()}
        try:
            before = read_json(path)
        except TfsegError:
            before = None
        # Results that are older than these settings are of others.
        if before != settings:
            write_json(path, settings)
        self._since = os.stat(path).st_mtime_ns

    def has(self, source, names):
        """Whether all results `names` are there, and newer than their source and the settings."""
        try:
            newest = max(self._since, os.stat(source).st_mtime_ns)
            times = [os.stat(os.path.join(self.folder, name)).st_mtime_ns for name in names]
        except OSError:
            return False
        return min(times) >= newest


def _plain(value):
    """As JSON gives it back: tuples are lists."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def fingerprint(path):
    """What tells a file or folder of weights from a later one of that name, as plain values."""
    path = os.fspath(path)
    if not os.path.exists(path):  # several files, or a release's name
        return path
    status = os.stat(path)
    return [os.path.abspath(path), status.st_size, status.st_mtime_ns]
