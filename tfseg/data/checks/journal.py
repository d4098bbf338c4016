"""What a check has found so far, so that it need not start again."""

import json
import os
import threading

import tensorflow as tf
from absl import logging

from tfseg.errors import TfsegError
from tfseg.files import atomic_write, open_file, parse_json

# Facts of another version are not comparable.
_VERSION = 3
_FORM = {
    "errors": list,
    "warnings": list,
    "counts": dict,
    "palette": dict,
    "turned": int,
    "pixels": list,
}


class Journal:
    """Facts of pairs of files, kept in a file of JSON lines; a context manager.

    A line is written as soon as a pair is done. Facts count as long as neither file's size nor
    time of change differs; those of files that are no longer asked for are dropped at the end.

    Args:
        path: the file, or None to keep nothing.

    Where the file can't be written, as in a read-only data folder, nothing is kept, and said so.
    """

    def __init__(self, path=None):
        self.path, self.known, self.used = path, {}, {}
        self._file, self._lock, self._stale = None, threading.Lock(), False

    def __enter__(self):
        if self.path is not None:
            try:
                self._read()
                self._file = open_file(self.path, "a", encoding="utf-8")
            except (OSError, TfsegError) as error:
                self._give_up(error)
        return self

    def _give_up(self, error):
        reason = getattr(error, "strerror", None) or error
        logging.warning("%s can't be written: %s; what is found isn't kept", self.path, reason)
        self._file = None

    def __exit__(self, kind, *_):
        if self._file is None:
            return
        try:
            self._file.close()
            if kind is None and (self._stale or len(self.used) < len(self.known)):
                with atomic_write(self.path, "w") as file:
                    file.writelines(_line(key, facts) for key, facts in self.used.items())
        except (OSError, TfsegError) as error:
            self._give_up(error)

    def _read(self):
        if not os.path.exists(self.path):
            return
        with open_file(self.path, "r", encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    key, facts = parse_json(line)
                    if not all(isinstance(facts[name], kind) for name, kind in _FORM.items()):
                        raise TypeError("no facts")
                    self.known[json.dumps(key)] = facts
                # A line that a kill cut short, or that something else wrote.
                except (ValueError, TypeError, KeyError):
                    self._stale = True

    def recall(self, image_list, index, inspect):
        """The facts of an entry: those known, or what `inspect()` returns.

        Called from several threads.
        """
        key = None if self._file is None else _key(image_list, index)
        if key is None:
            return inspect()
        facts = self.known.get(key) or inspect()
        with self._lock:
            self.used[key] = facts
            if key not in self.known:
                self.known[key] = facts
                self._write(_line(key, facts))
        return facts

    def _write(self, line):
        if self._file is None:
            return
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            self._give_up(error)


def _line(key, facts):
    return f"[{key}, {json.dumps(facts)}]\n"


def _key(image_list, index):
    """What identifies the two files' content, as JSON; None where one can't be looked at."""
    paths = [image_list.images[index], image_list.labels[index]]
    offset = None if image_list.offsets is None else image_list.offsets[index]
    parts = [_VERSION, offset]
    for path in paths:
        try:
            if "://" in path:
                status = tf.io.gfile.stat(path)
                parts += [path, status.length, status.mtime_nsec]
            else:
                status = os.stat(path)
                parts += [path, status.st_size, status.st_mtime_ns]
        except (OSError, tf.errors.OpError):
            return None
    return json.dumps(parts)
