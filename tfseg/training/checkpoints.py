"""Checkpoints that a kill or a full disk can't damage, and what they say about the run."""

import contextlib
import errno
import json
import os
import shutil

import tensorflow as tf
from absl import logging

from tfseg.errors import TfsegError
from tfseg.weights import CHECKPOINTS

# TensorFlow has no one type for a file that ends too early.
_DAMAGED = (tf.errors.OpError, ValueError, RuntimeError, IndexError, AssertionError)
_STATE_KEY = "state/.ATTRIBUTES/py_state"


class RunState(tf.train.experimental.PythonState):
    """What a run knows besides its variables, as plain values in the checkpoint itself.

    Attributes:
        values: {"step": updates done, "best": the best validation's step and scores or None,
            "losses": those of the last updates, "settings": `fixed_settings()`, "row": the row
            of log.csv that waits for a validation which a signal has cut short, or None,
            "preprocessing": of the images}.
    """

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def serialize(self):
        return json.dumps(self.values)

    def deserialize(self, string_value):
        self.values = json.loads(string_value)


def read_state(run_dir):
    """The `RunState.values` of a run's last checkpoint, or None if it has none.

    Raises:
        TfsegError: the checkpoint can't be read.
    """
    path = tf.train.latest_checkpoint(os.path.join(run_dir, CHECKPOINTS))
    if path is None:
        return None
    try:
        return json.loads(tf.train.load_checkpoint(path).get_tensor(_STATE_KEY))
    except _DAMAGED as error:
        raise TfsegError(
            f"can't read the checkpoint {path}: {_first_line(error)}; "
            f"remove it to continue from an earlier one, or use another --run_dir"
        ) from error


class Checkpoints:
    """The last few checkpoints of a run.

    `tf.train.CheckpointManager` writes a new one beside the old ones, and names it in the file
    `checkpoint`, by a rename, once it is whole. So whenever the process dies, the last whole one is
    used. Every worker of a cluster has to save, as the variables are read by all; only the chief's
    files are kept.

    Args:
        run_dir: the run's folder.
        objects: {name: trackable, or {path: tf.Variable}}; their names stand in the files.
        state: a `RunState`.
        keep: how many are kept.
        worker: None for the chief, otherwise a number.
    """

    def __init__(self, run_dir, objects, state, keep=2, worker=None):
        self.folder = os.path.join(run_dir, CHECKPOINTS)
        self.state = state
        self._scratch = None
        if worker is not None:
            self._scratch = os.path.join(self.folder, f".worker{worker}")
        self._checkpoint = tf.train.Checkpoint(state=state, **objects)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, self._scratch or self.folder, keep, checkpoint_name="step"
        )

    @property
    def latest_step(self):
        """Step of the last checkpoint, or None."""
        path = tf.train.latest_checkpoint(self.folder)
        return None if path is None else int(path.rpartition("-")[2])

    def restore(self):
        """Restores the last checkpoint.

        Raises:
            TfsegError: it is damaged, or not of these objects.
        """
        path = tf.train.latest_checkpoint(self.folder)
        try:
            status = self._checkpoint.restore(path)
            status.assert_existing_objects_matched()
        except _DAMAGED as error:
            raise TfsegError(f"can't restore {path}: {_first_line(error)}") from error

    def save(self, values):
        """Saves everything, with `values` as the `RunState`, under the number of its step.

        Raises:
            TfsegError: it can't be written; earlier checkpoints are still whole.
        """
        step = values["step"]
        self.state.values = values
        try:
            self._manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            earlier = self._manager.latest_checkpoint
            self.clean()
            raise TfsegError(
                f"can't save the checkpoint of step {step} in {self.folder}: {_reason(error)}; "
                + (f"{earlier} is still whole" if earlier else "there is no earlier one")
            ) from error
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def clean(self):
        """Removes what an interrupted save has left."""
        if self._scratch or not os.path.isdir(self.folder):
            return
        whole = {os.path.basename(path) for path in self._manager.checkpoints}
        for name in os.listdir(self.folder):
            if name != "checkpoint" and name.split(".")[0] not in whole:
                path = os.path.join(self.folder, name)
                logging.vlog(1, "removing %s", path)
                with contextlib.suppress(OSError):
                    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _reason(error):
    """Why a file couldn't be written, in the system's words if TensorFlow's have them."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO):
        if os.strerror(number) in str(error):
            return os.strerror(number)
    return _first_line(error)
