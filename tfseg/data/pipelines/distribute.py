"""Pipelines for distribution strategies."""

import itertools

import tensorflow as tf


class DistributedPipeline:
    """What `strategy.distribute_datasets_from_function` gives, without datasets on the devices.

    Those have tuners of their own, which can't be switched off and for which the end of every
    iteration waits: see `loading.finish`. Here the replicas of a worker are dealt the
    elements of one pipeline on the host.

    Args:
        strategy: a `tf.distribute.Strategy`.
        pipeline: function of a `tf.distribute.InputContext` that returns a dataset of tuples. Its
            elements have to come out even for the replicas of the worker.

    Attributes:
        element_spec: of what an iteration yields, for the signature of a tf.function: tuples whose
            parts have a value for each replica; of strategies for one device, the plain elements.
    """

    def __init__(self, strategy, pipeline):
        self._strategy = strategy
        self.element_spec = strategy.distribute_datasets_from_function(
            lambda context: self._create(pipeline, context)
        ).element_spec

    def _create(self, pipeline, context):
        self._replicas = context.num_replicas_in_sync // context.num_input_pipelines
        self._dataset = pipeline(context)
        return self._dataset

    def __iter__(self):
        elements = iter(self._dataset)
        while group := list(itertools.islice(elements, self._replicas)):
            if isinstance(self.element_spec[0], tf.TensorSpec):
                yield group[0]
            else:
                yield self._strategy.experimental_distribute_values_from_function(
                    lambda context, group=group: group[
                        context.replica_id_in_sync_group % len(group)
                    ]
                )
