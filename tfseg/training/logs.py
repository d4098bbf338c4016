"""The run's records: log.csv and TensorBoard, with the same numbers."""

import csv
import io
import os

import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.files import atomic_write, read_text

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
        step: updates that the restored checkpoint has seen; later rows are removed, so that the
            log of a killed and resumed run reads like an undisturbed one's.

    Raises:
        TfsegError: the files can't be written.
    """

    def __init__(self, run_dir, groups, scores, step=0):
        self.path = os.path.join(run_dir, "log.csv")
        self.columns = [
            *("step", "epoch", "loss", "loss_average"),
            *(f"learning_rate/{group.name}" for group in groups),
            *("gradient_norm", *scores),
            *TIMING,
        ]
        rows = [row for row in read_log(self.path) if row["step"] <= step]
        with atomic_write(self.path, "w") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)
        self.board = tf.summary.create_file_writer(os.path.join(run_dir, "tensorboard"))

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

    def text(self, name, text):
        """Puts a text, indented as code, on TensorBoard."""
        with self.board.as_default(step=0):
            tf.summary.text(name, "\n".join("    " + line for line in text.splitlines()))

    def image(self, name, image, step):
        """Puts a uint8 image [H, W, 3] on TensorBoard."""
        with self.board.as_default(step=step):
            tf.summary.image(name, image[None])

    def close(self):
        """Closes TensorBoard's file."""
        self.board.close()


def read_log(path):
    """The rows of a log.csv as dicts of numbers (None for empty cells); [] if there is none.

    A last line that a kill cut short is left out.
    """
    if not os.path.exists(path):
        return []
    whole = read_text(path).rpartition("\n")[0]
    rows = []
    for row in csv.DictReader(io.StringIO(whole)):
        try:
            rows.append({key: float(value) if value else None for key, value in row.items()})
        except (TypeError, ValueError) as error:
            raise TfsegError(f"{path} is damaged at row {len(rows) + 2}: {row}") from error
    return rows


def _text(value):
    if value is None:
        return ""
    # 9 digits tell all float32 values apart, and keep whole numbers whole.
    return f"{value:.9g}"
