"""Sums in one order, for runs that are the same to the last bit."""

import tensorflow as tf


def settle_order():
    """From now on, in this process, operations add in one order.

    TensorFlow's op determinism leaves one case open: `AddN` starts with whichever of its terms'
    memory is free first. `gradients` makes none of three terms or more, and the optimizer of
    graphs, which would join sums of two to such again, is switched off in that part.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def gradients(loss, variables):
    """Of a scalar, in a graph: where a tensor is used several times, added one by one.

    Args:
        loss: scalar tensor.
        variables: list of `tf.Variable`; those that it doesn't depend on get zeros.
    """
    return tf.gradients(
        loss,
        variables,
        aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE,
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
