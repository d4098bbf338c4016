"""A moving average of a model's weights.

Changed in cross-replica context, as the optimizers change weights.
"""

import contextlib

import tensorflow as tf


class WeightAverage(tf.Module):
    """Exponential moving average of a model's variables (Polyak and Juditsky, 1992).

    Batch norm's statistics are averaged too, so that they fit the averaged weights.

    Args:
        variables: {path: tf.Variable}; make the average in the scope of the strategy.
        decay: share of the old average that is kept; less at first, as (1 + n) / (10 + n) after n
            updates, so that the random start is soon forgotten.
    """

    def __init__(self, variables, decay):
        super().__init__()
        self.targets = {path: v for path, v in variables.items() if v.dtype.is_floating}
        self.decay = decay
        self.averages = {
            path: tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False)
            for path, v in self.targets.items()
        }

    def reset(self):
        """Starts from the variables' present values."""
        for path, variable in self.targets.items():
            self.averages[path].assign(variable.numpy())

    def decay_at(self, step):
        """The decay of update number `step`, counted from 0."""
        return min(self.decay, (1 + step) / (10 + step))

    def apply(self, strategy, decay):
        """One update, in cross-replica context, after that of the weights."""
        for path, variable in self.targets.items():
            strategy.extended.update(self.averages[path], self._update, args=(variable, decay))

    @staticmethod
    def _update(average, variable, decay):
        average.assign_add(tf.cast(1.0 - decay, average.dtype) * (variable - average))

    @contextlib.contextmanager
    def in_place(self):
        """Within, the model has the averaged values."""
        own = {path: variable.numpy() for path, variable in self.targets.items()}
        try:
            for path, variable in self.targets.items():
                variable.assign(self.averages[path].numpy())
            yield
        finally:
            for path, variable in self.targets.items():
                variable.assign(own[path])
