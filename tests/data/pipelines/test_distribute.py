"""Pipelines that replicas share, compared with what the strategies themselves make of them."""

import numpy as np
import pytest
import tensorflow as tf

from tfseg.data import DistributedPipeline


def pipeline(context):
    """Elements number 0 to 5, of sizes of their own."""
    dataset = tf.data.Dataset.range(6)
    dataset = dataset.map(lambda k: (tf.fill([1, k], k), context.num_replicas_in_sync * k))
    return dataset.with_options(_without_sharding())


def _without_sharding():
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options


@pytest.mark.parametrize("replicas", [1, 2])
def test_replicas_get_what_the_strategy_deals_them(replicas, two_replicas):
    strategy = two_replicas if replicas == 2 else tf.distribute.OneDeviceStrategy("CPU:0")
    ours = DistributedPipeline(strategy, pipeline)
    theirs = strategy.distribute_datasets_from_function(pipeline)
    assert ours.element_spec == theirs.element_spec
    local = strategy.experimental_local_results
    for _ in range(2):  # an iteration starts anew
        count = 0
        for one, other in zip(ours, theirs, strict=True):
            count += 1
            for part, expected in zip(one, other, strict=True):
                assert len(local(part)) == len(local(expected)) == replicas
                for a, b in zip(local(part), local(expected), strict=True):
                    np.testing.assert_array_equal(a, b)
        assert count == 6 // replicas
    step = tf.function(
        lambda element: strategy.run(lambda values, k: tf.reduce_sum(values) + k, args=element),
        input_signature=[ours.element_spec],
    )
    sums = [int(x) for element in ours for x in local(step(element))]
    assert sums == [k * k + replicas * k for k in range(6)]
    assert step.experimental_get_tracing_count() == 1
