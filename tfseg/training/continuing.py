"""Whether a run may go on with its settings, and what its directory says of them."""

import os

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.files import atomic_write
from tfseg.training.config import TrainConfig


def fixed_settings(config, plan, replicas):
    """{name: plain value} of what a resumed run must share: see `check_resume`."""
    return {**config.fixed(replicas), "training_images": len(plan.train)}


def check_resume(run_dir, state, settings):
    """Refuses to continue a run under settings that would make it another one.

    Length, schedule, learning rate, momentum, decay, loss options, augmentation and everything
    about logs, validation and devices may change; what decides the model, its variables and the
    numbering of samples may not. Batches of natural shape are numbered by what a replica gets.

    Args:
        run_dir: the run's folder.
        state: what `read_state` found there.
        settings: the `fixed_settings` that it is to go on with.

    Raises:
        TfsegError: such a setting differs; the message names it and both values.
    """
    for name, value in settings.items():
        # What a checkpoint doesn't know yet was not there to be changed.
        saved = state["settings"].get(name, getattr(TrainConfig, name, None))
        value = list(value) if isinstance(value, tuple) else value
        if saved != value:
            raise TfsegError(
                f"{run_dir} was trained to step {state['step']} with {name} "
                f"{_shown(saved)}, not {_shown(value)}: use the same, or another `run_dir`"
            )


def _shown(value):
    if isinstance(value, dict):
        return " ".join(f"{key}={part}" for key, part in value.items()) or "(none)"
    return value


def prepare_run_dir(config, plan, values):
    """Writes config.flags and model.json; `values` are the `RunState.values`.

    Raises:
        TfsegError: they can't be written.
    """
    with atomic_write(os.path.join(config.run_dir, runs.CONFIG), "w") as file:
        file.write(runs.config_text(values["record"], values.get("length")))
    plan.spec.save(os.path.join(config.run_dir, runs.MODEL_CARD))


def continued_record(config, saved):
    """The settings that a run has had and goes on with: see `RunState`.

    Args:
        saved: the `RunState.values` that it goes on from, or None.
    """
    flags = config.to_flags()
    if not saved:
        return [[0, flags]]
    # Version 0.1 kept no record.
    record = saved.get("record") or [[0, runs.read_config(config.run_dir) or flags]]
    if record[-1][1] == flags:
        return record
    # Settings under which no kept step was trained are none of the run's.
    return [entry for entry in record if entry[0] < saved["step"]] + [[saved["step"], flags]]
