"""The run's records: log.csv and TensorBoard, with the same numbers."""

import csv
import io
import os

import tensorflow as tf
from absl import logging
from google.protobuf.message import DecodeError

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, replacing

# Columns that say how fast it went; all others are the same whenever a run is repeated.
TIMING = ("images_per_second", "data_wait")


class RunLog:
    """log.csv and tensorboard/ of a run directory; created by the chief alone.

    A row of log.csv holds "step", "epoch", "loss" (of that update), "loss_average" (over the last
    20), the learning rate of each group, "gradient_norm", after a validation its scores, and last
    the columns of `TIMING`. Cells without a value are empty.

    Args:
        run_dir: the run's folder.
        groups: the `Group`s.
        scores: the columns of a validation.
        step: updates that the restored checkpoint has seen; later rows and points are removed, so
            that the log of a killed and resumed run reads like an undisturbed one's.
        logged: step of the last row before that.

    Raises:
        TfsegError: the files can't be read or written.
    """

    def __init__(self, run_dir, groups, scores, step=0, logged=0):
        self.path = os.path.join(run_dir, runs.LOG)
        rows = [row for row in runs.read_log(self.path) if row["step"] <= step]
        if logged and (not rows or rows[-1]["step"] < logged):
            logging.warning("%s has lost its rows up to step %d", self.path, logged)
        self.columns = [
            *("step", "epoch", "loss", "loss_average"),
            *(f"learning_rate/{group.name}" for group in groups),
            *("gradient_norm", *scores),
        ]
        # Settings of earlier steps may have had others.
        earlier = (rows[0] if rows else {}).keys() - {*self.columns, *TIMING}
        self.columns += [*sorted(earlier), *TIMING]
        with atomic_write(self.path, "w") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)
        folder = os.path.join(run_dir, runs.BOARD)
        _cut_board(folder, step)
        self.board = tf.summary.create_file_writer(folder)

    def row(self, values):
        """Appends one row and its scalars.

        Args:
            values: {column: number}; None and missing ones stay empty.

        Raises:
            TfsegError: the disk is full.
        """
        line = io.StringIO()
        writer = csv.DictWriter(line, self.columns, lineterminator="\n")
        writer.writerow({key: _text(value) for key, value in values.items()})
        try:
            # In one piece, and closed: what a checkpoint follows is on disk before it.
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line.getvalue())
        except OSError as error:
            raise TfsegError(f"can't write {self.path}: {error.strerror}") from error
        with self.board.as_default(step=values["step"]):
            for name, value in values.items():
                if value is not None and name != "step":
                    tf.summary.scalar(name, value)

    def text(self, name, text, step):
        """Puts a text, indented as code, on TensorBoard."""
        with self.board.as_default(step=step):
            tf.summary.text(name, "\n".join("    " + line for line in text.splitlines()))

    def image(self, name, image, step):
        """Puts a uint8 image [H, W, 3] on TensorBoard."""
        with self.board.as_default(step=step):
            tf.summary.image(name, image[None])

    def flush(self):
        """Brings all to the disk, so that a checkpoint has nothing before it that isn't there."""
        self.board.flush()

    def close(self):
        """Closes TensorBoard's file."""
        self.board.close()


def _cut_board(folder, step):
    """Removes what TensorBoard's files hold of later steps, which will come again."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if "tfevents" not in name or all(event <= step for event, _ in _events(path)):
            continue
        with replacing(path, ".part") as temporary, tf.io.TFRecordWriter(temporary) as file:
            for event, record in _events(path):
                if event <= step:
                    file.write(record)


def _events(path):
    """Yields the step and the bytes of each event in one of TensorBoard's files.

    It ends where a killed writer's file is cut short, or damaged: no reader gets further.
    """
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield tf.compat.v1.Event.FromString(record).step, record
    except (tf.errors.OpError, DecodeError):
        return


def _text(value):
    if value is None:
        return ""
    # 9 digits tell all float32 values apart, and keep whole numbers whole.
    return f"{value:.9g}"
