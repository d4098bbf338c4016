"""Learning-rate schedules as functions of the step alone, so that a resumed run needs no state."""

import math

from tfseg.training.values import interval


class Schedule:
    """The learning rate at every step of a run.

    poly: ``learning_rate * (1 - t / T) ** power`` (Liu et al., "ParseNet", 2015, section 3.3; Chen
    et al., "DeepLab", 2017, section 4.1.2); step: ``learning_rate * rate ** floor(t / step_size)``;
    constant. t is the step, rounded down to a multiple of `config.lr_update_every`; T the length
    of the run.

    Args:
        config: `TrainConfig`.
        total_steps: updates in the run.
        steps_per_epoch: updates in an epoch.
    """

    def __init__(self, config, total_steps, steps_per_epoch):
        self.config = config
        self.total_steps = total_steps
        self.period = interval("lr_update_every", config.lr_update_every, steps_per_epoch)
        per_epoch = config.lr_update_every == "epoch"
        self.step_size = config.lr_step_size * (steps_per_epoch if per_epoch else 1)

    def __call__(self, step):
        """The learning rate of update number `step`, counted from 0."""
        config = self.config
        step = step // self.period * self.period
        if config.lr_schedule == "poly":
            return config.learning_rate * (1 - step / self.total_steps) ** config.lr_power
        if config.lr_schedule == "step":
            return config.learning_rate * config.lr_decay_rate ** math.floor(step / self.step_size)
        return config.learning_rate
