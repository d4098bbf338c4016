"""Layers side by side, each on its share of the channels."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfseg.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfseg")
class Split(keras.layers.Layer):
    """Gives each branch an equal part of the channels, in order, and joins what they make.

    Args:
        branches: layers from [N, H, W, C / number of branches] to maps of one size.

    Input [N, H, W, C], output [N, h, w, the branches' channels in all].
    """

    def __init__(self, branches: Sequence[keras.layers.Layer], **kwargs: Any):
        super().__init__(**kwargs)
        self.branches = list(branches)

    def _part(self, input_shape: Shape) -> Shape:
        return (*input_shape[:3], input_shape[-1] // len(self.branches))

    def build(self, input_shape: Shape) -> None:
        for branch in self.branches:
            branch.build(self._part(input_shape))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        parts = ops.split(inputs, len(self.branches), -1)
        pairs = zip(self.branches, parts, strict=True)
        return ops.concatenate([branch(part, training=training) for branch, part in pairs], -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shapes = [b.compute_output_shape(self._part(input_shape)) for b in self.branches]
        return (*shapes[0][:3], sum(shape[-1] for shape in shapes))

    def get_config(self) -> dict[str, Any]:
        branches = [keras.saving.serialize_keras_object(branch) for branch in self.branches]
        return {**super().get_config(), "branches": branches}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Split":
        branches = [keras.saving.deserialize_keras_object(one) for one in config.pop("branches")]
        return cls(branches, **config)
