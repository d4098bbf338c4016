"""A run in MLflow: https://mlflow.org/docs/latest/ml/tracking."""

import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.training import values
from tfseg.training.callbacks import Callback, Run, TrainResult
from tfseg.training.config import TrainConfig

# What MLflow takes at most: of a name, of a parameter's value, and at once.
_LONGEST_NAME, _LONGEST_VALUE = 250, 6000
_MOST_PARAMETERS, _MOST_METRICS = 100, 1000
# How a run ended, by whether it ended by itself.
_ENDS = {True: "FINISHED", False: "KILLED", None: "FAILED"}


class MlflowTracker(Callback):
    """Settings, numbers of the log, and the best scores of a run, as one run of MLflow.

    MLflow's own environment variables say where: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME. The
    run directory's tracker.json has the MLflow run's id, by which a run that is continued goes on
    as the same; what MLflow has of a step already isn't told again.

    Raises:
        TfsegError: MLflow isn't installed.
    """

    def __init__(self) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise TfsegError(
                f"`tracker=mlflow` needs {error.name}: pip install 'tfseg-keras[mlflow]'"
            ) from error
        self._mlflow = mlflow

    def start(self, run: Run) -> None:
        """Begins an MLflow run, or finds that of the run directory.

        Raises:
            TfsegError: MLflow doesn't know the run that tracker.json names.
        """
        # A local store is made where there is none.
        self._client = self._mlflow.MlflowClient()
        path = os.path.join(run.config.run_dir, runs.TRACKER)
        if os.path.exists(path):
            self._id = self._known(path)
            self._client.update_run(self._id, status="RUNNING")
        else:
            self._id = self._new(run)
            write_json(path, {"mlflow": self._id})
        history = self._client.get_metric_history(self._id, "loss")
        self._last = max((point.step for point in history), default=0)

    def _known(self, path: str) -> str:
        try:
            name = str(read_json(path)["mlflow"])
        except (KeyError, TypeError) as error:
            raise TfsegError(f"{path} names no run of MLflow") from error
        try:
            info = self._client.get_run(name).info
        except self._mlflow.MlflowException:
            info = None
        if info is None or info.lifecycle_stage != "active":
            raise TfsegError(
                f"{path} names the MLflow run {name}, which {self._client.tracking_uri} doesn't "
                "have; without this file, the run begins another one"
            )
        return name

    def _new(self, run: Run) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "Default")
        experiment = self._client.get_experiment_by_name(name)
        key = experiment.experiment_id if experiment else self._client.create_experiment(name)
        folder = os.path.abspath(run.config.run_dir)
        made = self._client.create_run(key, run_name=os.path.basename(folder)).info.run_id
        for some in _batched(_settings(run.config), _MOST_PARAMETERS):
            params = [self._mlflow.entities.Param(name, value) for name, value in some]
            self._client.log_batch(made, params=params)
        return made

    def row(self, row: Mapping[str, float | None]) -> None:
        """Adds the numbers of a step that MLflow doesn't have."""
        step = int(row["step"] or 0)
        if step <= self._last:
            return
        now = int(1000 * time.time())
        numbers = [(_name(k), v) for k, v in row.items() if v is not None and k != "step"]
        for some in _batched(numbers, _MOST_METRICS):
            metrics = [self._mlflow.entities.Metric(name, float(v), now, step) for name, v in some]
            self._client.log_batch(self._id, metrics=metrics)
        self._last = step

    def end(self, result: TrainResult | None) -> None:
        """Adds the best scores, as "best/…", and says how it ended."""
        if result and result.best:
            best: dict[str, Any] = {_name(f"best/{k}"): v for k, v in result.best.items()}
            known = self._client.get_run(self._id).data.metrics
            for name, value in best.items():
                if value is not None and not math.isclose(known.get(name, math.nan), value):
                    self._client.log_metric(self._id, name, value, step=result.step)
        ended = None if result is None else not result.stopped_by
        self._client.set_terminated(self._id, _ENDS[ended])


def _settings(config: TrainConfig) -> list[tuple[str, str]]:
    """The settings as names and texts, each option of the model by itself."""
    texts = {f"model_option.{name}": values.text(v) for name, v in config.model_options.items()}
    for field in config.flag_fields():
        if field.name != "model_options":
            texts[field.name] = config.text(field.name)
    return [(name, value[:_LONGEST_VALUE]) for name, value in texts.items()]


def _batched(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    return (items[first : first + most] for first in range(0, len(items), most))


def _name(column: str) -> str:
    """A column as MLflow takes it: a class's name may have any characters, MLflow's only some."""
    kind, slash, rest = column.partition("/")
    rest = re.sub(r"[^\w\-. ]", "_", rest).strip(".") or "_"
    return f"{kind}{slash}{rest}"[:_LONGEST_NAME] if slash else column
