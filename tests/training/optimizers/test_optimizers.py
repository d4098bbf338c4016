import numpy as np
import pytest
import tensorflow as tf

from tfseg.training.groups import Group
from tfseg.training.loss_scale import LossScale
from tfseg.training.optimizers import SGD, AdamW
from tfseg.training.weight_average import WeightAverage


def apply(optimizer, *args):
    """Runs `apply` in cross-replica context, as the training step does."""

    def replica():
        tf.distribute.get_replica_context().merge_call(
            lambda strategy: optimizer.apply(strategy, *map(_tensors, args))
        )

    tf.distribute.get_strategy().run(replica)


def _tensors(value):
    return [tf.constant(x) for x in value] if isinstance(value, list) else tf.constant(value)


def test_sgd_follows_pytorchs_rule_while_the_learning_rate_changes():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=5).astype(np.float32)]
    variables = {f"v{i}": tf.Variable(value) for i, value in enumerate(start)}
    groups = [Group("kernels", "", 1.0, 1.0), Group("biases", "", 20.0, 0.0)]
    optimizer = SGD(variables, groups, momentum=0.9, weight_decay=0.05)
    weights, buffers = [w.astype(np.float64) for w in start], [None, None]
    for rate in (0.1, 0.1, 0.01, 0.05):
        gradients = [rng.normal(size=w.shape).astype(np.float32) for w in start]
        apply(optimizer, gradients, np.float32(rate))
        # torch.optim.SGD, line by line.
        for i, group in enumerate(groups):
            d_p = gradients[i] + 0.05 * group.weight_decay * weights[i]
            buffers[i] = d_p if buffers[i] is None else 0.9 * buffers[i] + d_p
            weights[i] = weights[i] - rate * group.learning_rate * buffers[i]
    for variable, expected in zip(variables.values(), weights, strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-5, atol=1e-6)


def test_adamw_follows_pytorchs_rule_while_the_learning_rate_changes():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=5).astype(np.float32)]
    variables = {f"v{i}": tf.Variable(value) for i, value in enumerate(start)}
    groups = [Group("kernels", "", 1.0, 1.0), Group("biases", "", 20.0, 0.0)]
    optimizer = AdamW(variables, groups, 0.05, adam_beta1=0.8, adam_beta2=0.99, adam_epsilon=1e-3)
    weights = [w.astype(np.float64) for w in start]
    means, squares = np.zeros(2, object), np.zeros(2, object)
    for step, rate in enumerate((0.1, 0.01, 0.05), start=1):
        gradients = [rng.normal(size=w.shape).astype(np.float32) for w in start]
        apply(optimizer, gradients, np.float32(rate))
        # torch.optim.AdamW, line by line.
        for i, group in enumerate(groups):
            rate_now = rate * group.learning_rate
            weights[i] = weights[i] * (1 - rate_now * 0.05 * group.weight_decay)
            means[i] = 0.8 * means[i] + 0.2 * gradients[i]
            squares[i] = 0.99 * squares[i] + 0.01 * gradients[i].astype(np.float64) ** 2
            denominator = np.sqrt(squares[i]) / np.sqrt(1 - 0.99**step) + 1e-3
            weights[i] = weights[i] - rate_now / (1 - 0.8**step) * means[i] / denominator
    assert int(optimizer.updates) == 3
    for variable, expected in zip(variables.values(), weights, strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-5, atol=1e-5)


def test_weight_average_stands_in_for_the_weights_and_goes_again():
    variable = tf.Variable([1.0])
    average = WeightAverage({"v": variable}, 0.9)
    average.reset()
    variable.assign([2.0])
    apply(average, 0.9)
    assert average.decay_at(0) == 0.1 and average.decay_at(1000) == 0.9
    with average.in_place():
        assert variable.numpy() == pytest.approx([1.1])
    assert variable.numpy() == [2.0]


def test_loss_scale_halves_on_overflow_and_doubles_after_a_good_while():
    scale = LossScale(initial=8.0, period=3)
    seen = []
    for finite in (True, True, True, True, False, True, True, True):
        apply(scale, finite)
        seen.append(float(scale.scale))
    assert seen == [8, 8, 16, 16, 8, 8, 8, 16]
