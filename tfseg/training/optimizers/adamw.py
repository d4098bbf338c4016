"""Adam with decoupled weight decay."""

import tensorflow as tf

from tfseg.training.optimizers.base import Optimizer


class AdamW(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015) whose weight decay stands beside the gradient's moments
    (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2), in
    PyTorch's form, where the decay is multiplied by the learning rate:

        m = beta1 * m + (1 - beta1) * gradient; v = beta2 * v + (1 - beta2) * gradient ** 2
        step = (m / (1 - beta1 ** t)) / (sqrt(v / (1 - beta2 ** t)) + epsilon)
        w = w - learning_rate * (decay * w + step)

    Args:
        variables, groups, weight_decay: as for `Optimizer`.
        adam_beta1, adam_beta2: how much of the moments is kept.
        adam_epsilon: in the denominator.
    """

    slots = ("first_moment", "second_moment")

    def __init__(
        self,
        variables,
        groups,
        weight_decay=0.0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
    ):
        super().__init__(variables, groups, weight_decay)
        self.betas, self.epsilon = (adam_beta1, adam_beta2), adam_epsilon
        # Updates that were not finite don't count, so it isn't the run's step.
        self.updates = tf.Variable(0, trainable=False, dtype=tf.int64)

    def advance(self, strategy):
        strategy.extended.update(self.updates, self._count)
        return (self.updates,)

    @staticmethod
    def _count(updates):
        updates.assign_add(1)

    def update(self, variable, slots, shared, gradient, rate, decay):
        moments, (updates,) = slots, shared
        # In double precision, as 0.999 ** t is near 1 at first.
        unbias = [
            1 - tf.constant(b, tf.float64) ** tf.cast(updates, tf.float64) for b in self.betas
        ]
        root = tf.sqrt(unbias[1])

        def constant(value):
            return tf.cast(value, variable.dtype)

        if decay:
            variable.assign_sub(rate * decay * variable)
        # One pass over weight, moments and gradient. What it would divide by itself, in single
        # precision, is in the rate and, as it adds epsilon to the biased root, in epsilon.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            beta1_power=constant(0),
            beta2_power=constant(0),
            lr=rate * constant(root / unbias[0]),
            beta1=constant(self.betas[0]),
            beta2=constant(self.betas[1]),
            epsilon=constant(self.epsilon * root),
            grad=gradient,
        )

    def state(self):
        return {**super().state(), "updates": self.updates}
