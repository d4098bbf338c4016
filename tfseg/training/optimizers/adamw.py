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

    def advance(self, strategy, finite):
        strategy.extended.update(self.updates, self._count, args=(finite,))
        return (self.updates,)

    @staticmethod
    def _count(updates, finite):
        updates.assign_add(tf.cast(finite, updates.dtype))

    def update(self, variable, slots, shared, gradient, rate, decay, finite):
        moments, (updates,) = [], shared
        for slot, beta, value in zip(slots, self.betas, (gradient, gradient**2), strict=True):
            now = beta * slot + (1 - beta) * value
            slot.assign(tf.where(finite, now, slot))
            # In double precision, as 0.999 ** t is near 1 at first.
            unbias = 1 - tf.constant(beta, tf.float64) ** tf.cast(updates, tf.float64)
            moments.append(now / tf.cast(unbias, now.dtype))
        step = rate * (decay * variable + moments[0] / (tf.sqrt(moments[1]) + self.epsilon))
        variable.assign_sub(tf.where(finite, step, tf.zeros_like(step)))

    def state(self):
        return {**super().state(), "updates": self.updates}
