"""Loss scaling for float16, changed in cross-replica context, as the optimizers change weights."""

import tensorflow as tf


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
