"""Graph functions that are traced once a process, not again in each pipeline that calls them."""

import functools
import inspect

from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")


def traced_once(function):
    """Decorates a function of scalar strings: a graph calls one function instead of its operations.

    Called eagerly, it stays as it is, with the messages of its operations.
    """
    count = len(inspect.signature(function).parameters)

    @functools.cache
    def traced():
        return tf.function(function, input_signature=[tf.TensorSpec([], tf.string)] * count)

    @functools.wraps(function)
    def call(*strings):
        return function(*strings) if tf.executing_eagerly() else traced()(*strings)

    return call
