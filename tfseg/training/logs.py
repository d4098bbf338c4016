"""The run's records: log.csv and TensorBoard, with the same numbers."""

import contextlib
import csv
import io
import os
from collections.abc import Mapping

import tensorflow as tf
from absl import logging
from google.protobuf.message import DecodeError

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, replacing
from tfseg.training.callbacks import Callback, Run, TrainResult

# Columns that say how fast it went; all others are the same whenever a run is repeated.
TIMING = ("images_per_second", "data_wait")


class CsvLog(Callback):
    """log.csv of a run directory, a line for each row; later rows than the run's go when it starts,
    so that the log of a killed and resumed run reads like an undisturbed one's.

    It holds "step", "epoch", "loss" (of that update), "loss_average" (over the last 20), the
    learning rate of each group, "gradient_norm", after a validation its scores, and last the
    columns of `TIMING`. Cells without a value are empty.
    """

    def start(self, run: Run) -> None:
        """Writes the rows that are kept.

        Raises:
            TfsegError: the file can't be read or written.
        """
        self.path = os.path.join(run.config.run_dir, runs.LOG)
        rows = [row for row in runs.read_log(self.path) if row["step"] <= run.reported]
        if run.last_row and (not rows or rows[-1]["step"] < run.last_row):
            logging.warning("%s has lost its rows up to step %d", self.path, run.last_row)
        # Settings of earlier steps may have had others.
        earlier = (rows[0] if rows else {}).keys() - {*run.columns, *TIMING}
        self.columns = [*run.columns, *sorted(earlier), *TIMING]
        with atomic_write(self.path, "w") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)

    def row(self, row: Mapping[str, float | None]) -> None:
        """Appends a line.

        Raises:
            TfsegError: the disk is full.
        """
        line = io.StringIO()
        writer = csv.DictWriter(line, self.columns, lineterminator="\n")
        writer.writerow({key: _text(value) for key, value in row.items()})
        try:
            # In one piece, and closed: what a checkpoint follows is on disk before it.
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line.getvalue())
        except OSError as error:
            raise TfsegError(f"can't write {self.path}: {error.strerror}") from error


class Board(Callback):
    """tensorboard/ of a run directory: the rows' numbers, settings, and validations' pictures."""

    def start(self, run: Run) -> None:
        """Removes the points of later steps, and puts new settings, indented as code."""
        folder = os.path.join(run.config.run_dir, runs.BOARD)
        _cut_board(folder, run.reported)
        self.board = tf.summary.create_file_writer(folder)
        if run.changed:
            lines = run.config.to_flags().splitlines()
            with self._at(run.step + 1):
                tf.summary.text("flags", "\n".join("    " + line for line in lines))

    def row(self, row: Mapping[str, float | None]) -> None:
        """Puts the numbers."""
        with self._at(row["step"]):
            for name, value in row.items():
                if value is not None and name != "step":
                    tf.summary.scalar(name, value)

    def validation(self, step, scores, best, pictures) -> None:
        """Puts the pictures."""
        with self._at(step):
            for index, picture in enumerate(pictures):
                tf.summary.image(f"validation/{index}", picture[None])

    @contextlib.contextmanager
    def _at(self, step):
        with self.board.as_default(step=step):
            yield
        # A checkpoint has nothing before it that isn't on the disk.
        self.board.flush()

    def end(self, result: TrainResult | None) -> None:
        """Closes the file."""
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
