"""Stochastic gradient descent in PyTorch's form."""

import tensorflow as tf

from tfseg.training.optimizers.base import Optimizer


class SGD(Optimizer):
    """Gradient descent with momentum and L2 weight decay (Sutskever et al., ICML 2013).

    In the form of the published code (Caffe, PyTorch), where the learning rate stands outside of
    the velocity: ``v = momentum * v + gradient + decay * w; w = w - learning_rate * v``. When the
    learning rate changes, Keras' form, with the rate inside, gives other weights.

    Args:
        variables, groups, weight_decay: as for `Optimizer`.
        momentum: 0..1.
    """

    slots = ("velocity",)

    def __init__(self, variables, groups, momentum=0.9, weight_decay=0.0):
        super().__init__(variables, groups, weight_decay)
        self.momentum = momentum

    def update(self, variable, slots, shared, gradient, rate, decay):
        (velocity,) = slots
        # One pass over weight, velocity and gradient, where products and assignments of their own
        # take several, each as long as reading the memory does.
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=velocity.handle,
            lr=rate,
            grad=gradient + decay * variable if decay else gradient,
            momentum=tf.constant(self.momentum, variable.dtype),
        )
