"""One update of the weights, from micro-batches on all replicas."""

import functools

import tensorflow as tf

from tfseg.training import determinism
from tfseg.training.losses import size_of
from tfseg.training.losses.segmentation import TEACHER

METRICS = ("loss", "gradient_norm", "finite", "stop", "loss_scale")


class TrainStep:
    """The compiled update: gradients of all micro-batches and replicas, one optimizer step.

    It doesn't matter how samples are spread: normalisers are summed over replicas and micro-batches
    before the first backward pass, gradients once after the last.

    Args:
        model: a `Segmenter`, made in the scope of `strategy`.
        loss: a `SegmentationLoss`.
        optimizer: an `Optimizer` over the model's trainable variables, in their order.
        strategy: a `tf.distribute.Strategy`.
        element_spec: the distributed dataset's.
        accumulation_steps: micro-batches per update.
        average: "batch" divides by the valid pixels of the whole update; "micro_batch" each
            micro-batch by its own, and then by their number, as DeepLab's PyTorch code does;
            "replica" each replica's part of a micro-batch by its own, and then by the number of
            parts, as the ADE20K code does. On one replica the last two are the same.
        clip_norm: limit of the gradient's global norm; 0 for none.
        weight_average: a `WeightAverage` or None.
        loss_scale: a `LossScale` or None.
        xla: compile with XLA; one replica only.
        forward: function from images to the model's outputs in training; None for the model's own.
        deterministic: add gradients in one order; see `determinism`.
    """

    def __init__(
        self,
        model,
        loss,
        optimizer,
        strategy,
        element_spec,
        *,
        accumulation_steps=1,
        average="batch",
        clip_norm=0.0,
        weight_average=None,
        loss_scale=None,
        xla=False,
        forward=None,
        deterministic=False,
    ):
        self.forward = forward or functools.partial(model, training=True)
        self.loss = loss
        self.optimizer = optimizer
        self.strategy = strategy
        self.average = average
        self.clip_norm = clip_norm
        self.weight_average = weight_average
        self.loss_scale = loss_scale
        self.deterministic = deterministic
        self._replica = self._on_replica
        if xla:
            self._replica = tf.function(self._on_replica, jit_compile=True, autograph=False)
        signature = [(element_spec,) * accumulation_steps, tf.TensorSpec([3], tf.float32)]
        self._step = tf.function(self._on_all, input_signature=signature, autograph=False)

    def __call__(self, batches, learning_rate, decay=0.0, stop=False):
        """One update.

        Args:
            batches: a tuple of elements of the distributed dataset: (images, labels).
            learning_rate: a float.
            decay: of the weight average, a float.
            stop: whether this worker has been asked to stop.

        Returns:
            float32 [len(METRICS)], the same on every worker; reading it waits for the update.
            "stop" counts the replicas whose worker was asked to stop; "finite" is 0 where loss or
            gradient isn't, and then nothing was changed but batch norm's running averages.
        """
        return self._step(batches, tf.constant([learning_rate, decay, float(stop)]))

    def graph(self):
        """The `tf.Graph` of an update, traced now unless it has been."""
        return self._step.get_concrete_function().graph

    def _on_all(self, batches, scalars):
        metrics = self.strategy.run(self._replica, args=(batches, scalars))
        return self.strategy.experimental_local_results(metrics)[0]

    def _on_replica(self, batches, scalars):
        context = tf.distribute.get_replica_context()
        learning_rate, decay, stop = tf.unstack(scalars)
        scale = self.loss_scale.scale.read_value() if self.loss_scale else None
        loss, gradients = self._gradients(batches, self._normalisers(context, batches), scale)
        parts = [loss, tf.cast(stop, loss.dtype), *gradients]
        loss, stop, *gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, parts)
        if scale is not None:
            gradients = [gradient / scale for gradient in gradients]
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        if self.clip_norm:
            factor = tf.minimum(tf.math.divide_no_nan(tf.cast(self.clip_norm, norm.dtype), norm), 1)
            gradients = [gradient * factor for gradient in gradients]
        context.merge_call(self._update, args=(gradients, learning_rate, decay, finite))
        metrics = [loss, norm, finite, stop, 1.0 if scale is None else scale]
        return tf.stack([tf.cast(value, tf.float32) for value in metrics])

    def _normalisers(self, context, batches):
        """float32 [micro-batches, counts]: what the parts of the loss are divided by."""
        counts = tf.stack([self.loss.counts(labels, size_of(images)) for images, labels in batches])
        if self.average == "replica":
            return counts * len(batches) * context.num_replicas_in_sync
        counts = context.all_reduce(tf.distribute.ReduceOp.SUM, counts)
        if self.average == "micro_batch":
            return counts * len(batches)
        return tf.repeat(tf.reduce_sum(counts, axis=0, keepdims=True), len(batches), axis=0)

    def _gradients(self, batches, normalisers, scale):
        """This replica's part of the loss and of its (scaled) gradients, over its micro-batches."""
        losses, sums = [], None
        for (images, labels), normaliser in zip(batches, tf.unstack(normalisers), strict=True):
            # Otherwise all micro-batches would run at once, with all their activations in memory.
            with tf.control_dependencies(sums):
                images = tf.identity(images)
            taught = {}
            if teacher := self.loss.teacher:
                taught[TEACHER] = teacher(images, training=False)["logits"]
            with tf.GradientTape() as tape:
                outputs = {**self.forward(images), **taught}
                loss = self.loss(outputs, labels, normaliser)
                scaled = loss if scale is None else loss * scale
            if self.deterministic:
                gradients = determinism.gradients(scaled, self.optimizer.targets)
            else:
                gradients = tape.gradient(
                    scaled,
                    self.optimizer.targets,
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
            losses.append(loss)
            sums = [a + b for a, b in zip(sums, gradients, strict=True)] if sums else gradients
        return functools.reduce(tf.add, losses), sums

    def _update(self, strategy, gradients, learning_rate, decay, finite):
        def apply():
            self.optimizer.apply(strategy, gradients, learning_rate)
            if self.weight_average:
                self.weight_average.apply(strategy, decay)

        # Loss and norm are of the sums over all replicas, so that one of them answers for all.
        tf.cond(strategy.experimental_local_results(finite)[0], apply, lambda: None)
        if self.loss_scale:
            self.loss_scale.apply(strategy, finite)
