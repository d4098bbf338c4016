"""Downloads that survive dropped connections and never leave a wrong file under its name."""

import contextlib
import errno
import http.client
import os
import socket
import time
import urllib.error
import urllib.request

from absl import logging

from tfseg.digests import file_digest
from tfseg.errors import TfsegError
from tfseg.words import counted

_CHUNK = 1 << 20
_ATTEMPTS = 5
_PAUSE = 1.0  # seconds before the second attempt; doubles with each
_TIMEOUT = 60.0  # seconds without a byte


class _Dropped(Exception):
    """The connection broke, or the server asks to come back later."""


class _Unreachable(Exception):
    """There was no connection at all: no network, no such host, or nobody who listens."""


def download(url, path, sha256=None, size=None, progress=None):
    """Gets `url` and puts it at `path`, once it is complete and checked.

    Meanwhile it is in ".NAME.part" beside `path`. A dropped connection is taken up where it broke,
    several times; what came is kept for the next call if `sha256` can tell whether it is right.

    Args:
        url: http or https.
        path: where the file goes; its folder is made.
        sha256: hexadecimal digest, or its beginning, or None.
        size: in bytes, or None.
        progress: function (bytes so far, bytes in all or None), called as they come.

    Raises:
        TfsegError: one line: no such file, no connection, no room, or the wrong content.
    """
    folder, name = os.path.split(path)
    part = os.path.join(folder, f".{name}.part")
    logging.info("downloading %s to %s", url, path)
    try:
        os.makedirs(folder, exist_ok=True)
        if not sha256 and os.path.exists(part):
            os.unlink(part)
        _complete(url, part, progress, resumable=bool(sha256))
        try:
            verify(part, sha256, size, url)
        except TfsegError:
            os.unlink(part)
            raise
        os.replace(part, path)
    except OSError as error:
        raise TfsegError(f"can't write {path}: {error.strerror or error}") from error


def verify(path, sha256=None, size=None, origin=None):
    """Checks a file's size and digest.

    Args:
        path: of the file.
        sha256, size: as for `download`.
        origin: the URL of what has just come, which is kept only if it is right; None for a file
            that was there.

    Raises:
        TfsegError: they differ.
    """
    title = f"{path} from {origin}" if origin else path
    remedy = "it was not kept; try another mirror" if origin else "remove it to download it again"
    found = os.path.getsize(path)
    if size is not None and found != size:
        raise TfsegError(f"{title} has {counted(found, 'byte')} instead of {size}: {remedy}")
    if sha256:
        digest = file_digest(path)
        if not digest.startswith(sha256):
            raise TfsegError(
                f"{title} is not the published file: its sha256 starts with "
                f"{digest[: len(sha256)]} instead of {sha256}: {remedy}"
            )


def _complete(url, part, progress, resumable):
    """Fills `part`, attempt after attempt."""
    transfer, last, reached = _Transfer(url, part, progress), None, False
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE * 2 ** (attempt - 1))
            logging.info("connection lost (%s), trying again", last)
        try:
            return transfer.attempt()
        except _Dropped as error:
            last, reached = error, True
        except _Unreachable as error:
            last = error
            if not reached:  # Waiting helps where something answered before, not without a network.
                break
    again = "run the same again"
    with contextlib.suppress(FileNotFoundError):
        if not resumable:
            os.unlink(part)
        elif os.path.getsize(part):
            again = "what came is kept: run the same again to continue"
    raise TfsegError(f"can't download {url}: {last}; {again}, or set TFSEG_MIRROR")


def _is_unreachable(reason):
    numbers = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
    unknown_host = isinstance(reason, socket.gaierror)
    return unknown_host or (isinstance(reason, OSError) and reason.errno in numbers)


class _Transfer:
    """What the attempts at one file share.

    Attributes:
        validator: the server's name for the version that `part` is of, or None.
    """

    def __init__(self, url, part, progress):
        self.url, self.part, self.progress, self.validator = url, part, progress, None

    def attempt(self):
        """Asks for what is missing of the file; raises `_Dropped` if less came."""
        start = os.path.getsize(self.part) if os.path.exists(self.part) else 0
        try:
            request = urllib.request.Request(self.url, headers={"User-Agent": "tfseg"})
            if start:
                request.add_header("Range", f"bytes={start}-")
                if self.validator:
                    request.add_header("If-Range", self.validator)
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                self._receive(response, start)
        except urllib.error.HTTPError as error:
            self._refused(error)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            kind = _Unreachable if _is_unreachable(reason) else _Dropped
            raise kind(str(getattr(reason, "strerror", None) or reason)) from error
        except ValueError as error:
            raise TfsegError(f"can't download {self.url}: {error}") from error

    def _receive(self, response, start):
        headers = response.headers
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            start = 0  # The server sends all of it again.
        elif not headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise _Dropped("the server sent another range than asked for")
        if headers.get_content_type() == "text/html":
            raise TfsegError(
                f"{self.url} is a web page, not a file: it was moved, or needs a login"
            )
        self.validator = headers.get("ETag") or headers.get("Last-Modified")
        total = start + int(headers["Content-Length"]) if headers.get("Content-Length") else None
        done = start
        with self._part(start) as file:
            while chunk := response.read(_CHUNK):
                self._write(file, chunk)
                done += len(chunk)
                if self.progress:
                    self.progress(done, total)
        if total is not None and done < total:
            raise _Dropped(f"the connection ended after {done} of {counted(total, 'byte')}")

    def _part(self, start):
        try:
            file = open(self.part, "r+b" if start else "wb")  # noqa: SIM115
            file.seek(start)
            return file
        except OSError as error:
            raise TfsegError(f"can't write {self.part}: {error.strerror}") from error

    def _write(self, file, chunk):
        # The disk's errors must not pass for the connection's.
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise TfsegError(f"can't write {self.part}: {error.strerror}") from error

    def _refused(self, error):
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            total = error.headers.get("Content-Range", "").rpartition("/")[2]
            if total == str(os.path.getsize(self.part)):
                return  # All of it was there already.
            os.unlink(self.part)
            raise _Dropped("the file on the server has changed") from error
        if error.code >= 500 or error.code in (408, 429):
            raise _Dropped(f"the server answers {error.code} {error.reason}") from error
        raise TfsegError(
            f"can't download {self.url}: the server answers {error.code} {error.reason}"
        ) from error
