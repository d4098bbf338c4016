"""What graphs are made of: without AutoGraph, and where it can be, traced once a process.

AutoGraph rewrites Python's `if` and `for` over tensors. Nothing here has these, and reading and
rewriting the source of every function takes six seconds of each process that trains.
"""

import functools
import inspect

from tfseg.lazy import LazyModule

tf = LazyModule("tensorflow")


def mapped(dataset, function, **options):
    """`dataset.map(function, **options)`, without AutoGraph."""
    return dataset.map(tf.autograph.experimental.do_not_convert(function), **options)


def traced_once(function):
    """Decorates a function of scalar strings: a graph calls one function instead of its operations.

    Called eagerly, it stays as it is, with the messages of its operations.
    """
    count = len(inspect.signature(function).parameters)

    @functools.cache
    def traced():
        strings = [tf.TensorSpec([], tf.string)] * count
        return tf.function(function, input_signature=strings, autograph=False)

    @functools.wraps(function)
    def call(*strings):
        return function(*strings) if tf.executing_eagerly() else traced()(*strings)

    return call
