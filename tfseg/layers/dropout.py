"""Dropout whose result does not depend on the number of devices."""

from typing import Any

import keras
from keras import ops

from tfseg.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfseg")
class ChannelDropout(keras.layers.Layer):
    """Drops whole channels of [N, H, W, C] in training, and scales the others up.

    Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015,
    section 3.2. Keras' SpatialDropout2D would drop the same channels on every replica; here each
    takes its own rows of one draw for the whole batch, so that replicas with N images each drop
    what a single device with all of them does. The state of the random numbers has a path that is
    the same in every process, which checkpoints need.

    Args:
        rate: share of channels that are dropped, 0 <= rate < 1.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape: Shape | None = None) -> None:
        if self.rate:
            self.seed_generator = keras.random.SeedGenerator(name="seed_generator")

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not self.rate:
            return inputs
        number, replicas = _replica()
        images, channels = ops.shape(inputs)[0], inputs.shape[-1]
        noise = keras.random.uniform(
            (images * replicas, 1, 1, channels), dtype="float32", seed=self.seed_generator
        )
        kept = noise[number * images : (number + 1) * images] >= self.rate
        return inputs * ops.cast(kept, inputs.dtype) / (1 - self.rate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


def _replica() -> tuple[Any, int]:
    """This replica's number, and how many there are."""
    if keras.backend.backend() != "tensorflow":
        return 0, 1
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0, 1
    return context.replica_id_in_sync_group, context.num_replicas_in_sync
