"""Training, from Python."""

import time
from collections.abc import Iterable
from typing import Any

from tfseg.errors import TfsegError
from tfseg.training import (
    Callback,
    Classification,
    ClassifyConfig,
    TrainConfig,
    TrainResult,
    trainer,
)
from tfseg.training.pace import Allowance


def train(
    config: TrainConfig | None = None,
    progress_bar: bool = False,
    *,
    callbacks: Iterable[Callback] = (),
    source: str | None = None,
    run_dir: str = "",
    data_dir: str | None = None,
    started: float | None = None,
    **settings: Any,
) -> TrainResult:
    """Trains a model, or continues where the run directory's last checkpoint stands.

        tfseg.train(TrainConfig(data_dir="data", run_dir="runs/a", model="drn_d_22", epochs=9))
        tfseg.train(source="photos", run_dir="runs/mine", minutes=30)

    The result depends on the settings alone: not on the number of replicas or workers, nor on
    interruptions; with `minutes` also on how many updates were made in them. Losses, optimizers,
    schedules and transforms are named, or objects: a `Loss`, a class of `Optimizer`, functions.

    Args:
        config: `TrainConfig`; or `ClassifyConfig`, which trains an image classifier.
        progress_bar: show a bar on stderr instead of logging lines.
        callbacks: objects of `tfseg.training.Callback`, which are told what the run comes to.
        source: instead of `config`: a folder of images and masks, or whatever else `tfseg.prepare`
            takes. Settings are proposed for it; see `tfseg.workflows.train_source`.
        run_dir, data_dir, **settings: with `source`: the run's folder, that of the data, and what
            is to be other than proposed.
        started: `time.monotonic()` at the call that `minutes` count from; default this one.

    Returns:
        `TrainResult`; with `source` a `Trained`, which a notebook shows as pictures.

    Raises:
        TfsegError: whatever the user can put right; checkpoints saved before are whole.
    """
    started = time.monotonic() if started is None else started
    if (config is None) == (source is None):
        raise TfsegError("give a config or a `source`, one of them")
    if source is not None:
        from tfseg.workflows.own_data import train_source

        told = {"started": started, "progress_bar": progress_bar}
        return train_source(source, run_dir, data_dir, callbacks=callbacks, **told, **settings)
    if run_dir or data_dir or settings:
        raise TfsegError("with a config, settings stand in it")
    task = Classification() if isinstance(config, ClassifyConfig) else None
    return trainer.train(config, progress_bar, task, Allowance(started), callbacks)
