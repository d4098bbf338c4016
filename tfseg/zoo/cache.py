"""From a release's name to its files: downloaded once, and checked whenever they are used."""

import contextlib
import os
import shutil
import tarfile
import urllib.parse
import zipfile

from absl import logging

from tfseg.digests import file_digest
from tfseg.errors import TfsegError, unknown
from tfseg.files import read_json, replacing, write_json
from tfseg.zoo.download import download, verify
from tfseg.zoo.releases import RELEASES

try:
    import fcntl
except ImportError:  # Windows: two processes may then download the same file twice
    fcntl = None


def home():
    """The folder that keeps downloads: $TFSEG_HOME or ~/.cache/tfseg."""
    return os.path.expanduser(os.environ.get("TFSEG_HOME") or "~/.cache/tfseg")


def fetch(name, progress=None):
    """Makes sure that the files of a release are there; without network once they are.

    Args:
        name: a key of `RELEASES`.
        progress: function (file name, bytes so far, bytes in all or None), called as they come.

    Returns:
        The files' paths.

    Raises:
        TfsegError: no such release; or its files can't be downloaded, aren't the published ones,
            or have to be fetched by hand.
    """
    if name not in RELEASES:
        raise unknown("release", name, RELEASES)
    release, folder = RELEASES[name], os.path.join(home(), name)
    with _lock(folder):
        return [_get(name, release, file, folder, progress) for file in release.files]


@contextlib.contextmanager
def _lock(folder):
    """Only one process at a time in a release's folder."""
    try:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, ".lock"), "w") as file:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise TfsegError(f"can't use {folder}: {error.strerror or error}") from error


def _get(name, release, file, folder, progress):
    """The path of a release's file, downloaded if it isn't there."""
    path = os.path.join(folder, file.name)
    if os.path.isfile(path):
        if not file.member:
            verify(path, file.sha256, file.size)
            _compare_with_first(name, path)
        return path
    # Of an archive, the digest and size are the archive's.
    target = os.path.join(folder, file.url.rpartition("/")[2]) if file.member else path
    if not os.path.isfile(target):
        download(
            _url(name, release, file, path),
            target,
            file.sha256,
            file.size,
            progress and (lambda done, total: progress(os.path.basename(target), done, total)),
        )
    try:
        _compare_with_first(name, target)
    except TfsegError:
        os.unlink(target)
        raise
    if file.member:
        _extract(target, file.member, path)
        os.unlink(target)
    return path


def _compare_with_first(name, path):
    """Compares a release's file with the first of its name that was used here.

    Of many files no digest was published, or the first eight digits alone. The whole one of the
    first download is kept outside of the release's folder, which people remove to download again.

    Raises:
        TfsegError: it has another content now.
    """
    record = os.path.join(home(), "digests", f"{name}.json")
    known = read_json(record) if os.path.isfile(record) else {}
    if not isinstance(known, dict):
        raise TfsegError(f"{record} does not hold digests: remove it to start anew")
    file, digest = os.path.basename(path), file_digest(path)
    if file not in known:
        write_json(record, {**known, file: digest})
        logging.info(
            "%s of %s: sha256 %s, compared with from now on (%s)", file, name, digest, record
        )
    elif known[file] != digest:
        raise TfsegError(
            f"{path} is not the file of the first download: its sha256 is {digest} instead of "
            f"{known[file]}; if that is meant, remove {record}"
        )


def _url(name, release, file, path):
    mirror = os.environ.get("TFSEG_MIRROR")
    if mirror:
        theirs = file.url.rpartition("/")[2] if file.member else file.name
        return "/".join([mirror.rstrip("/"), name, urllib.parse.quote(theirs)])
    if not file.url:
        raise TfsegError(
            f"{file.name} of {name} can't be downloaded automatically: get it from {release.page} "
            f"and put it at {path}, or set TFSEG_MIRROR"
        )
    return file.url


def _extract(archive, member, path):
    """Writes one member of a .zip or .tar.gz archive to `path`."""
    try:
        with contextlib.ExitStack() as stack, replacing(path) as temporary:
            if zipfile.is_zipfile(archive):
                opened = stack.enter_context(zipfile.ZipFile(archive))
                source = stack.enter_context(opened.open(member))
            else:
                opened = stack.enter_context(tarfile.open(archive))
                source = stack.enter_context(opened.extractfile(member))
            with open(temporary, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    except (KeyError, EOFError, AttributeError, zipfile.BadZipFile, tarfile.TarError) as error:
        os.unlink(archive)
        raise TfsegError(f"{archive} is no archive with {member} in it: it was removed") from error
