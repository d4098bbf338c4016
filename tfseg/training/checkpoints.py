"""Checkpoints that no kill, full disk or damaged file can cost, and what they say of the run."""

import dataclasses
import errno
import json
import os
import re
import shutil

import tensorflow as tf

from tfseg import runs
from tfseg.errors import TfsegError

# TensorFlow has no one type for a file that ends too early.
_DAMAGED = (tf.errors.OpError, ValueError, RuntimeError, IndexError, AssertionError)
_STATE_KEY = "state/.ATTRIBUTES/py_state"
_SCRATCH = re.compile(r"\.saving|\.worker\d+|step-\d+_temp")


class RunState(tf.train.experimental.PythonState):
    """What a run knows besides its variables, as plain values in the checkpoint itself.

    Attributes:
        values: {"step": updates done, "best": the best validation's step and scores or None,
            "stale": validations since then,
            "losses": those of the last updates, "settings": `fixed_settings()`, "row": the row
            of log.csv that waits for a validation which a signal has cut short, or None,
            "logged": step of the last row of log.csv, "preprocessing": of the images,
            "record": [[step from which on, the settings as flags], …],
            "length": of a run of so many minutes: {"minutes": as asked, "laid": [[after which
            step, updates in the whole run], …], "spent": seconds}, or None}.
    """

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def serialize(self):
        return json.dumps(self.values)

    def deserialize(self, string_value):
        self.values = json.loads(string_value)


@dataclasses.dataclass(frozen=True)
class Saved:
    """The checkpoint that a run continues from.

    Attributes:
        path: what its files' names start with.
        values: the `RunState.values`.
        damaged: what is wrong with later ones, a line each.
    """

    path: str
    values: dict
    damaged: tuple


def find_checkpoint(run_dir):
    """The newest whole checkpoint of a run as a `Saved`; None if none was ever made.

    A checkpoint is whole if its files have the digests beside it; without digests, if all in them
    reads back.

    Raises:
        TfsegError: there are checkpoints, but none is whole, or one can't be read.
    """
    damaged = []
    for step in runs.checkpoint_steps(run_dir):
        path = runs.checkpoint_path(run_dir, step)
        try:
            return Saved(path, _read_values(path), tuple(damaged))
        except TfsegError as error:
            damaged.append(str(error))
        except OSError as error:
            # It may be whole: nothing is known before it can be read.
            raise TfsegError(f"can't read {error.filename}: {error.strerror}") from error
    if not damaged:
        return None
    raise TfsegError(
        f"{run_dir} has no whole checkpoint: {'; '.join(damaged)}. Put a whole one back, or train "
        "anew in another `run_dir`"
    )


def _read_values(path):
    """The `RunState.values` of a whole checkpoint.

    Raises:
        TfsegError: it isn't whole.
        OSError: a file can't be read.
    """
    digests = runs.read_digests(path)
    if digests and "state" in digests:
        return digests["state"]
    try:
        reader = tf.train.load_checkpoint(path)
        if not digests:
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
        values = json.loads(reader.get_tensor(_STATE_KEY))
    except _DAMAGED as error:
        raise TfsegError(f"can't read {path}: {_first_line(error)}") from error
    if not isinstance(values, dict) or not isinstance(values.get("step"), int):
        raise TfsegError(f"{path} is no checkpoint of a run")
    return values


class Checkpoints:
    """The last few checkpoints of a run.

    Each is made in a folder aside and moved into place, its digests last, so that whenever the
    process dies the last whole one is used. Every worker of a cluster has to save, as the variables
    are read by all; only the chief's files are kept.

    Args:
        run_dir: the run's folder.
        objects: {name: trackable, or {path: tf.Variable}}; their names stand in the files.
        keep: how many are kept.
        worker: None for the chief, otherwise a number.

    Attributes:
        latest_step: step of the last whole checkpoint, or None.
    """

    def __init__(self, run_dir, objects, keep=2, worker=None):
        self.run_dir = run_dir
        self.folder = os.path.join(run_dir, runs.CHECKPOINTS)
        self.latest_step = None
        self._keep, self._chief = keep, worker is None
        self._scratch = os.path.join(self.folder, ".saving" if self._chief else f".worker{worker}")
        self._state = RunState()
        self._checkpoint = tf.train.Checkpoint(state=self._state, **objects)

    def restore(self, saved):
        """Sets all variables to those of a `Saved`.

        Raises:
            TfsegError: it is not of these objects.
        """
        try:
            self._checkpoint.read(saved.path).assert_existing_objects_matched()
        except _DAMAGED as error:
            raise TfsegError(f"can't restore {saved.path}: {_first_line(error)}") from error
        self.latest_step = saved.values["step"]

    def save(self, values):
        """Saves everything, with `values` as the `RunState`, under the number of its step.

        Older ones than the last few are removed. What is newer, and therefore damaged, stays until
        a whole one takes its place or has passed it.

        Raises:
            TfsegError: it can't be written; earlier checkpoints are still whole.
        """
        step = values["step"]
        target = runs.checkpoint_path(self.run_dir, step)
        if step == self.latest_step:
            # The variables are the same, and files of which one is replaced are not whole.
            if self._chief:
                runs.write_digests(target, values)
            return
        self._state.values = values
        try:
            os.makedirs(self._scratch, exist_ok=True)
            self._checkpoint.write(os.path.join(self._scratch, os.path.basename(target)))
            if self._chief:
                for name in runs.checkpoint_files(os.path.join(self._scratch, f"step-{step}")):
                    os.replace(os.path.join(self._scratch, name), os.path.join(self.folder, name))
                runs.write_digests(target)
        except (tf.errors.OpError, OSError, TfsegError) as error:
            kept = runs.checkpoint_path(self.run_dir, self.latest_step) if self.latest_step else ""
            raise TfsegError(
                f"can't save the checkpoint of step {step} in {self.folder}: {_reason(error)}; "
                + (f"{kept} is still whole" if kept else "there is no earlier one")
            ) from error
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self.latest_step = step
        if self._chief:
            self._rotate(step)

    def _rotate(self, step):
        older = [other for other in runs.checkpoint_steps(self.run_dir) if other <= step]
        for other in older[self._keep :]:
            path = runs.checkpoint_path(self.run_dir, other)
            # The index goes before what it lists: what is left of a kill is no checkpoint.
            self._remove(os.path.basename(path) + runs.DIGESTS)
            for name in reversed(runs.checkpoint_files(path)):
                self._remove(name)
        self._remove("checkpoint")

    def clean(self):
        """Removes what processes that died while they saved have left."""
        if not self._chief or not os.path.isdir(self.folder):
            return
        known = {f"step-{step}" for step in runs.checkpoint_steps(self.run_dir)}
        for name in os.listdir(self.folder):
            if _SCRATCH.fullmatch(name):
                shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
            elif re.fullmatch(r"step-\d+\.data-.*", name) and name.split(".")[0] not in known:
                self._remove(name)

    def _remove(self, name):
        try:
            os.remove(os.path.join(self.folder, name))
        except OSError:
            return


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _reason(error):
    """Why a file couldn't be written, in the system's words if TensorFlow's have them."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO):
        if os.strerror(number) in str(error):
            return os.strerror(number)
    return _first_line(error)
