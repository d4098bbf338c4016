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


def gradients(targets, sources, upstream=None):
    """Gradients in a graph: where a tensor is used several times, they are added one by one.

    Args:
        targets: a tensor, such as a loss, or a list.
        sources: list of tensors or `tf.Variable`; those that nothing depends on get zeros.
        upstream: the gradients of the targets, a list; None for ones.
    """
    return tf.gradients(
        targets,
        sources,
        upstream,
        aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE,
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
