"""What the optimizers share: variables beside the weights, and where they are changed.

Everything changes in cross-replica context, by `extended.update`, so that it is the same on one
device, several, and several machines.
"""

import tensorflow as tf


class Optimizer(tf.Module):
    """Subclasses name their `slots`, and write `update`.

    Args:
        variables: {path: tf.Variable}; make the optimizer in the scope of the strategy.
        groups: one `Group` for each.
        weight_decay: times each group's factor.
    """

    slots: tuple = ()

    def __init__(self, variables, groups, weight_decay=0.0):
        super().__init__()
        self.paths = list(variables)
        self.targets = list(variables.values())
        self.groups = list(groups)
        self.weight_decay = weight_decay
        self.values = {
            slot: [tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False) for v in self.targets]
            for slot in self.slots
        }

    def apply(self, strategy, gradients, learning_rate):
        """One update, in cross-replica context; gradients are summed over replicas already."""
        shared = self.advance(strategy)
        slots = [[own[i] for own in self.values.values()] for i in range(len(self.targets))]
        rows = zip(self.targets, slots, gradients, self.groups, strict=True)
        for variable, values, gradient, group in rows:
            strategy.extended.update(
                variable,
                self._update,
                args=(values, gradient, learning_rate, shared),
                kwargs={"group": group},
            )

    def _update(self, variable, slots, gradient, learning_rate, shared, group):
        rate = tf.cast(learning_rate, variable.dtype) * group.learning_rate
        decay = self.weight_decay * group.weight_decay
        self.update(variable, slots, shared, gradient, rate, decay)

    def advance(self, strategy):
        """What all variables' updates share: a tuple; called first in every update."""
        return ()

    def update(self, variable, slots, shared, gradient, rate, decay):
        """Changes a variable and its slots.

        Args:
            variable: of one device.
            slots: its variables in the order of the names.
            shared: of `advance`.
            gradient: a tensor.
            rate: a scalar tensor.
            decay: a float.
        """
        raise NotImplementedError

    def state(self):
        """{slot: {path: variable}} and further variables by name, for a checkpoint."""
        return {
            slot: dict(zip(self.paths, values, strict=True)) for slot, values in self.values.items()
        }
