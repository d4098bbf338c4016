"""Batch normalisation whose result does not depend on the number of devices."""

from typing import Any

import keras
from keras import ops

from tfseg.checks import require_number, require_switch
from tfseg.errors import unknown
from tfseg.types import Shape, Tensor

FREEZE = ("none", "statistics", "all")


@keras.saving.register_keras_serializable("tfseg")
class BatchNorm(keras.layers.Layer):
    """Batch normalisation over [N, H, W], synchronised over all replicas.

    Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3. It differs from Keras' own in
    three ways. The running variance is the unbiased one, as in PyTorch, from which the published
    weights come. Replicas exchange one small tensor per layer instead of three, and the count of
    pixels comes from the shapes. Statistics are float32 under half-precision policies.

    Args:
        momentum: share of the old running average that is kept (PyTorch's is one minus this).
        epsilon: added to the variance.
        synchronized: whether replicas share their statistics.
        freeze: "none"; "statistics" normalises by the running averages in training too and leaves
            them alone, with gamma and beta still trained; "all" freezes gamma and beta as well.

    Input and output [N, H, W, C]; replicas may differ in N, H and W.

    Raises:
        TfsegError: a value out of range; the message has the name of the model's option.
    """

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        synchronized: bool = True,
        freeze: str = "none",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if freeze not in FREEZE:
            raise unknown("freeze_batch_norm", freeze, FREEZE)
        require_number("batch_norm_momentum", momentum, 0, 1)
        require_number("batch_norm_epsilon", epsilon, above=0)
        require_switch("sync_batch_norm", synchronized)
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized
        self.freeze = freeze

    def build(self, input_shape: Shape) -> None:
        self.statistics_dtype = keras.backend.result_type(self.compute_dtype, "float32")
        affine = self.freeze != "all"

        # Synchronised replicas compute the same averages, so any one of them may write.
        aggregation = "only_first_replica" if self.synchronized else "mean"

        def weight(name: str, initializer: str, trainable: bool) -> Tensor:
            return self.add_weight(
                name=name,
                shape=(input_shape[-1],),
                initializer=initializer,
                trainable=trainable,
                dtype=self.statistics_dtype,
                autocast=False,
                aggregation=aggregation,
            )

        self.gamma = weight("gamma", "ones", affine)
        self.beta = weight("beta", "zeros", affine)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.freeze != "none" or not self.trainable:
            return self._normalize(inputs, self.moving_mean, self.moving_variance)
        if keras.backend.backend() == "tensorflow":
            return self._train_tensorflow(inputs)
        mean, variance = ops.moments(ops.cast(inputs, self.statistics_dtype), (0, 1, 2))
        count = ops.cast(ops.size(inputs[..., 0]), self.statistics_dtype)
        self._update(mean, variance * count / ops.maximum(count - 1, 1))
        return self._normalize(inputs, mean, variance)

    def _normalize(self, inputs: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        if self._has_fused_kernel() and mean is self.moving_mean:
            return self._fused(inputs, mean, variance)[0]
        gain = ops.rsqrt(variance + self.epsilon) * self.gamma
        shift = self.beta - mean * gain
        return ops.cast(ops.cast(inputs, self.statistics_dtype) * gain + shift, inputs.dtype)

    def _has_fused_kernel(self) -> bool:
        return keras.backend.backend() == "tensorflow" and self.statistics_dtype == "float32"

    def _fused(self, inputs: Tensor, mean: Tensor = None, variance: Tensor = None) -> Tensor:
        # The fused kernel is two to three times faster than its parts, forward and backward.
        import tensorflow as tf

        return tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            mean=None if mean is None else tf.convert_to_tensor(mean),
            variance=None if variance is None else tf.convert_to_tensor(variance),
            epsilon=self.epsilon,
            is_training=mean is None,
        )

    def _train_tensorflow(self, inputs: Tensor) -> Tensor:
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        alone = context is None or context.num_replicas_in_sync == 1 or not self.synchronized
        if alone and self._has_fused_kernel():
            # The fused kernel's second output is the unbiased variance already.
            outputs, mean, variance = self._fused(inputs)
            self._update(mean, variance)
            return outputs
        values = tf.cast(inputs, self.statistics_dtype)
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], self.statistics_dtype)
        mean, variance = tf.nn.moments(values, (0, 1, 2))
        # Sums about a point that all replicas know: their means lie near the running average,
        # so that little is lost where E[x^2] - E[x]^2 would cancel.
        centre = tf.convert_to_tensor(self.moving_mean)
        offset = mean - centre
        sums = tf.concat([[count], count * offset, count * (variance + tf.square(offset))], axis=0)
        if not alone:
            sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        total = sums[0]
        offset, square = tf.split(sums[1:] / total, 2)
        mean = centre + offset
        variance = tf.maximum(square - tf.square(offset), 0.0)
        self._update(mean, variance * total / tf.maximum(total - 1.0, 1.0))
        return self._normalize(inputs, mean, variance)

    def _update(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        for average, value in ((self.moving_mean, mean), (self.moving_variance, unbiased_variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
            "freeze": self.freeze,
        }
