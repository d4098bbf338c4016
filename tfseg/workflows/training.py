"""Training, from Python."""

from tfseg.training import Classification, ClassifyConfig, TrainConfig, TrainResult, trainer


def train(config: TrainConfig, progress_bar: bool = False) -> TrainResult:
    """Trains a model, or continues where the run directory's last checkpoint stands.

        tfseg.train(TrainConfig(data_dir="data", run_dir="runs/a", model="drn_d_22", epochs=9))

    The result depends on the settings alone: not on the number of replicas or workers, nor on
    interruptions. Losses, optimizers, schedules and transforms are named, or objects: a `Loss`, a
    class of `Optimizer`, functions.

    Args:
        config: `TrainConfig`; or `ClassifyConfig`, which trains an image classifier.
        progress_bar: show a bar on stderr instead of logging lines.

    Raises:
        TfsegError: whatever the user can put right; checkpoints saved before are whole.
    """
    task = Classification() if isinstance(config, ClassifyConfig) else None
    return trainer.train(config, progress_bar, task)
