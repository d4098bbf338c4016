"""Stochastic gradient descent in PyTorch's form, a moving average of weights, loss scaling.

Everything here changes variables in cross-replica context, by `extended.update`, so that it is
the same on one device, several, and several machines. Each takes `finite`, a scalar bool: where
it is False nothing changes.
"""

import contextlib

import tensorflow as tf


class SGD(tf.Module):
    """Gradient descent with momentum and L2 weight decay (Sutskever et al., ICML 2013).

    In the form of the published code (Caffe, PyTorch), where the learning rate stands outside of
    the velocity: ``v = momentum * v + gradient + decay * w; w = w - learning_rate * v``. When the
    learning rate changes, Keras' form, with the rate inside, gives other weights.

    Args:
        variables: {path: tf.Variable}; make the optimizer in the scope of the strategy.
        groups: one `Group` for each.
        momentum: 0..1.
        weight_decay: times each group's factor.
    """

    def __init__(self, variables, groups, momentum=0.9, weight_decay=0.0):
        super().__init__()
        self.paths = list(variables)
        self.targets = list(variables.values())
        self.groups = list(groups)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.velocities = [
            tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False) for v in self.targets
        ]

    def apply(self, strategy, gradients, learning_rate, finite):
        """One update, in cross-replica context; gradients are summed over replicas already."""
        rows = zip(self.targets, self.velocities, gradients, self.groups, strict=True)
        for variable, velocity, gradient, group in rows:
            strategy.extended.update(
                variable,
                self._update,
                args=(velocity, gradient, learning_rate, finite),
                kwargs={"row": group},
            )

    def _update(self, variable, velocity, gradient, learning_rate, finite, row):
        decay = self.weight_decay * row.weight_decay
        if decay:
            gradient += decay * variable
        velocity_now = self.momentum * velocity + gradient
        rate = tf.cast(learning_rate, velocity_now.dtype) * row.learning_rate
        step = rate * velocity_now
        # A selection, as a product with zero would keep NaN.
        velocity.assign(tf.where(finite, velocity_now, velocity))
        variable.assign_sub(tf.where(finite, step, tf.zeros_like(step)))

    def state(self):
        """{path: velocity}, for a checkpoint."""
        return dict(zip(self.paths, self.velocities, strict=True))


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

    def apply(self, strategy, decay, finite):
        """One update, in cross-replica context, after that of the weights."""
        for path, variable in self.targets.items():
            strategy.extended.update(
                self.averages[path], self._update, args=(variable, decay, finite)
            )

    @staticmethod
    def _update(average, variable, decay, finite):
        change = tf.cast(1.0 - decay, average.dtype) * (variable - average)
        average.assign_add(tf.where(finite, change, tf.zeros_like(change)))

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


class LossScale(tf.Module):
    """Dynamic loss scaling for float16 (Micikevicius et al., ICLR 2018, section 3.2).

    The factor doubles after `period` good updates in a row and halves after one that overflows.
    """

    def __init__(self, initial=2.0**15, period=2000):
        super().__init__()
        self.period = period
        self.scale = tf.Variable(initial, trainable=False, dtype=tf.float32)
        self.good = tf.Variable(0, trainable=False, dtype=tf.int32)

    def apply(self, strategy, finite):
        """Takes note of one update, in cross-replica context."""
        strategy.extended.update(self.scale, self._update, args=(self.good, finite))

    def _update(self, scale, good, finite):
        count = tf.where(finite, good + 1, 0)
        full = count >= self.period
        factor = tf.where(finite, tf.where(full, 2.0, 1.0), 0.5)
        scale.assign(tf.clip_by_value(scale * factor, 1.0, 2.0**24))
        good.assign(tf.where(full, 0, count))
