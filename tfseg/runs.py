"""A run directory: the name of every file in it, and reading them back."""

import contextlib
import csv
import getpass
import io
import math
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from absl import logging

from tfseg.digests import file_digest, sealed, unsealed
from tfseg.errors import TfsegError
from tfseg.files import read_json, read_text, remove_parts, write_json

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two processes apart
    fcntl = None  # type: ignore[assignment]

CONFIG = "config.flags"
MODEL_CARD = "model.json"
# What was chosen for a run that began with a source, and why.
PROPOSAL = "proposal.json"
# By which name a tracker knows the run.
TRACKER = "tracker.json"
BEST_WEIGHTS = "best.weights.h5"
LOG = "log.csv"
BOARD = "tensorboard"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
# Beside a checkpoint's own files: their digests.
DIGESTS = ".json"
_EVALUATIONS = "eval"
_CHECKPOINT = re.compile(r"step-(\d+)\.(?:index|json)")


def evaluation_dir(run_dir: str, split: str) -> str:
    """Where an evaluation of a split goes unless told otherwise."""
    return os.path.join(run_dir, _EVALUATIONS, split)


def checkpoint_path(run_dir: str, step: int) -> str:
    """What the names of a checkpoint's files start with."""
    return os.path.join(run_dir, CHECKPOINTS, f"step-{step}")


def run_of_checkpoint(path: str) -> str | None:
    """The run directory that a checkpoint lies in, or None."""
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    inside = os.path.basename(folder) == CHECKPOINTS and os.path.isfile(f"{path}.index")
    return os.path.dirname(folder) if inside else None


def checkpoint_steps(run_dir: str) -> list[int]:
    """The steps of all checkpoints of a run, whole or not, the newest first.

    One that was being written when its process died isn't among them: its index and then its
    digests come last.
    """
    folder = os.path.join(run_dir, CHECKPOINTS)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = {int(match[1]) for name in names if (match := _CHECKPOINT.fullmatch(name))}
    return sorted(found | _listed_steps(folder), reverse=True)


def _listed_steps(folder: str) -> set[int]:
    """The steps that version 0.1 kept in a text file, where digests do so now."""
    try:
        with open(os.path.join(folder, "checkpoint"), encoding="utf-8") as file:
            return {int(step) for step in re.findall(r'paths: "(?:.*/)?step-(\d+)"', file.read())}
    except (OSError, UnicodeDecodeError):
        return set()


def checkpoint_files(path: str) -> list[str]:
    """The names of a checkpoint's own files that are there, in the order in which they are put
    into place: the index, without which the others are nothing, last."""
    folder, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.(index|data-\d+-of-\d+)")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(found for found in names if pattern.fullmatch(found))


def write_digests(path: str, state: str | None = None) -> None:
    """Writes the digests of a checkpoint's files beside them.

    Args:
        path: what the files' names start with.
        state: the run's state, where it isn't the one in the checkpoint any more.

    Raises:
        TfsegError: the files can't be read or it can't be written.
    """
    folder = os.path.dirname(path)
    try:
        digests = {
            name: file_digest(os.path.join(folder, name), sync=True)
            for name in checkpoint_files(path)
        }
    except OSError as error:
        raise TfsegError(f"can't read {error.filename}: {error.strerror}") from error
    values = {"sha256": digests} if state is None else {"sha256": digests, "state": state}
    write_json(path + DIGESTS, sealed(values))


def read_digests(path: str) -> dict[str, Any] | None:
    """What `write_digests` wrote, once all files are as they were; None where it wrote nothing,
    or where that file itself is damaged.

    Raises:
        TfsegError: a file of the checkpoint is missing or damaged.
        OSError: a file can't be read.
    """
    folder, name = os.path.split(path)
    try:
        values = unsealed(read_json(path + DIGESTS), path + DIGESTS)
        digests = dict(values["sha256"])
    except (TfsegError, TypeError, KeyError, ValueError):
        return None
    for member in {f"{name}.index", *digests}:
        file = os.path.join(folder, member)
        try:
            right = file_digest(file) == digests.get(member)
        except FileNotFoundError as error:
            raise TfsegError(f"{file} is missing") from error
        if not right:
            raise TfsegError(f"{file} is damaged: it isn't what was written")
    return values


def config_text(record: Sequence[tuple[int, str]], length: Mapping[str, Any] | None = None) -> str:
    """The text of config.flags: what the run goes on with, and in comments what it had before.

    Args:
        record: [[step from which on, lines of flags as one text], …].
        length: what the run's minutes came to: see `RunState`.
    """
    parts = [record[-1][1]]
    if length:
        laid = "".join(f"# after step {step}: {total} steps\n" for step, total in length["laid"])
        parts.append(f"# What {length['minutes']:g} minutes came to:\n{laid}")
    for (_, earlier), (step, later) in zip(record[-2::-1], record[:0:-1], strict=True):
        kept = set(later.splitlines())
        lines = [f"# {line}" for line in earlier.splitlines() if line not in kept]
        parts.append("\n".join([f"# Up to step {step}:", *lines]) + "\n")
    return "\n".join(parts)


def read_config(run_dir: str) -> str | None:
    """The flags of config.flags as text, without comments; None where it can't be read."""
    try:
        with open(os.path.join(run_dir, CONFIG), encoding="utf-8") as file:
            return "".join(line for line in file if line.startswith("--"))
    except (OSError, UnicodeDecodeError):
        return None


def recorded(run_dir: str, name: str) -> str | None:
    """The value of a flag in config.flags, or None."""
    for line in (read_config(run_dir) or "").splitlines():
        if line.startswith(f"--{name}="):
            return line.partition("=")[2]
    return None


def recorded_modules(run_dir: str) -> list[str]:
    """The modules whose rows the settings in config.flags name."""
    lines = (read_config(run_dir) or "").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith("--import=")]


def data_dir_of(run_dir: str) -> str:
    """The data folder that a run was trained on.

    Raises:
        TfsegError: config.flags names none, or it isn't here.
    """
    data_dir = recorded(run_dir, "data_dir")
    if not data_dir:
        raise TfsegError(f"`data_dir` is missing: {run_dir} has no {CONFIG} naming one")
    if not os.path.isdir(data_dir):
        raise TfsegError(
            f"`data_dir` is missing, and {data_dir}, which {run_dir} was trained on, isn't here"
        )
    return data_dir


def predictions_dir(run_dir: str) -> str:
    """Where predictions go unless told otherwise."""
    return os.path.join(run_dir, "predictions")


def read_log(path: str) -> list[dict[str, Any]]:
    """The rows of a log.csv as dicts of numbers (None for empty cells); [] if there is none.

    A last line that a kill cut short is left out.

    Raises:
        TfsegError: it can't be read, or a row isn't numbers; the message says which.
    """
    if not os.path.exists(path):
        return []
    whole = read_text(path).rpartition("\n")[0]
    rows: list[dict[str, Any]] = []
    reader = csv.DictReader(io.StringIO(whole))
    try:
        for row in reader:
            rows.append({key: float(value) if value else None for key, value in row.items()})
            if not math.isfinite(rows[-1]["step"]):
                raise ValueError
    except (TypeError, ValueError, KeyError, csv.Error) as error:
        raise TfsegError(f"{path} is damaged at line {reader.line_num}") from error
    return rows


@contextlib.contextmanager
def locked(run_dir: str) -> Iterator[None]:
    """Makes a run directory where there is none, and keeps other processes from training in it.

    The system ends a process's lock with the process, so what a killed one leaves is taken over.
    A folder that is made and stays empty is removed again.

    Raises:
        TfsegError: another process trains there (the message says who, where and since when), or
            the folder can't be made or written.
    """
    made = _make(run_dir)
    path = os.path.join(run_dir, LOCK)
    file = _lock(run_dir, path)
    try:
        for folder in (run_dir, *(os.path.join(run_dir, name) for name in (CHECKPOINTS, BOARD))):
            remove_parts(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        file.close()
        with contextlib.suppress(OSError):
            for folder in made:
                os.rmdir(folder)


def _make(run_dir: str) -> list[str]:
    """Makes the folder; returns those that weren't there, the innermost first."""
    if os.path.exists(run_dir) and not os.path.isdir(run_dir):
        raise TfsegError(f"`run_dir={run_dir}` is a file, not a folder")
    missing, folder = [], os.path.abspath(run_dir)
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    try:
        os.makedirs(run_dir, exist_ok=True)
    except OSError as error:
        raise TfsegError(f"can't make `run_dir={run_dir}`: {error.strerror}") from error
    return missing


def _lock(run_dir: str, path: str) -> IO[str]:
    """The open file that holds the lock."""
    while True:
        try:
            file = open(path, "a+", encoding="utf-8", errors="replace")  # noqa: SIM115
        except OSError as error:
            raise TfsegError(f"can't write {path}: {error.strerror}") from error
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed the file in the meantime.
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                break
        except FileNotFoundError:
            pass
        except BlockingIOError as error:
            file.seek(0)
            holder = " ".join(file.read(200).split()) or "another process"
            file.close()
            raise TfsegError(
                f"{run_dir} is being trained by {holder}: wait for its end, or use another "
                "`run_dir`"
            ) from error
        except OSError as error:
            logging.warning(
                "can't lock %s (%s): make sure that no other process trains there",
                *(run_dir, error.strerror),
            )
            break
        file.close()
    file.truncate(0)
    file.write(_holder() + "\n")
    file.flush()
    return file


def _holder() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = str(os.getuid())
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"{user} on {socket.gethostname()}, process {os.getpid()}, since {since}"
