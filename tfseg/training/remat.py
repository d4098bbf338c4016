"""Gradient checkpointing: what a network needs for its gradients is computed a second time.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, section 4.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfseg.encoders.features import FeatureEncoder
from tfseg.errors import TfsegError
from tfseg.layers.walk import sublayers
from tfseg.training.determinism import gradients
from tfseg.types import Tensor


class Recomputed:
    """A model whose blocks keep nothing for the backward pass but what goes into them.

    Each block of the encoder and the decoder is computed again when its gradients are wanted, by
    the same weights, running averages and random numbers as the first time; running averages and
    random numbers advance once. Gradients are those of the model itself. An encoder that is a graph
    of single layers, as those of Keras are, is computed again stage by stage.

    What TensorFlow (`tf.recompute_grad`) and Keras (`keras.RematScope`) have runs layers twice with
    all that they change, so that batch norm would average twice and dropout drop other values.

    Args:
        model: a `Segmenter` or `Classifier`.

    Raises:
        TfsegError: its encoder has neither blocks nor stages.
    """

    def __init__(self, model: Any):
        self.model = model
        self._local = threading.local()
        encoder = model.encoder
        network = encoder.model if isinstance(encoder, FeatureEncoder) else encoder
        self.units = [layer for layer in network.layers if sublayers(layer)]
        if not self.units:
            stages = _stages(network, list(encoder.strides))
            network.call = _Chain(network, stages, self._local)
            self.units = list(stages.values())
        decoder = getattr(model, "decoder", None)
        self.units += [decoder] if decoder is not None and sublayers(decoder) else []
        for layer in self.units:
            layer.call = _Unit(layer, self._local)

    def __call__(self, images: Tensor) -> Any:
        """The outputs in training."""
        with _switched(self._local, True):
            return self.model(images, training=True)


def _stages(network: keras.Model, names: list[str]) -> dict[str, keras.Model]:
    """{feature: the part of a network that makes it of the one before}.

    Raises:
        TfsegError: a feature is made of more than that.
    """
    stages, before = {}, network.input
    for name in names:
        maps = network.output[name]
        try:
            stages[name] = keras.Model(before, maps, name=f"{network.name}_{name}")
        except ValueError as error:
            raise TfsegError(
                f"`remat` needs an encoder of blocks or of stages that follow each other: {name} "
                f"of {network.name} is made of more than the feature before it"
            ) from error
        before = maps
    return stages


@contextlib.contextmanager
def _switched(local: threading.local, on: bool) -> Iterator[None]:
    # Replicas are threads of one process, which take turns in the middle of a layer.
    before, local.on = getattr(local, "on", False), on
    try:
        yield
    finally:
        local.on = before


class _Chain:
    """In place of a network's `call`: that itself, or where it is switched on, its stages."""

    def __init__(
        self, network: keras.Model, stages: dict[str, keras.Model], local: threading.local
    ):
        self._call, self._stages, self._local = network.call, stages, local

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        if not getattr(self._local, "on", False):
            return self._call(inputs, *args, **kwargs)
        features = {}
        for name, stage in self._stages.items():
            inputs = features[name] = stage(inputs)
        return features


class _Unit:
    """In place of a layer's `call`: that itself, or where it is switched on, with recomputing."""

    def __init__(self, layer: keras.layers.Layer, local: threading.local):
        self._call, self._local = layer.call, local
        self._run = _Run(layer)
        # A smoothing's weights are those of all blocks that look at it.
        found = {id(v): v for one in (layer, *sublayers(layer)) for v in one.variables}
        self._trained = [v for v in found.values() if v.trainable]
        self._kept = [v for v in found.values() if not v.trainable]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not getattr(self._local, "on", False):
            return self._call(*args, **kwargs)
        with _switched(self._local, False):
            return self._recomputed(args[0])

    def _recomputed(self, inputs: Any) -> Any:
        kept = [tf.convert_to_tensor(variable) for variable in self._kept]
        trained = [tf.convert_to_tensor(variable) for variable in self._trained]
        count = len(tf.nest.flatten(inputs))
        structure, changed = None, []

        def forward(tensors: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            """Outputs, and the new values of the variables that have one."""
            nonlocal structure, changed
            values = zip(self._trained, tensors[count:], strict=True)
            scope = _Values([*values, *zip(self._kept, kept, strict=True)])
            with scope:
                outputs = self._run(tf.nest.pack_sequence_as(inputs, tensors[:count]))
            now = [scope.get_current_value(variable) for variable in self._kept]
            updates = [
                (variable, new)
                for variable, old, new in zip(self._kept, kept, now, strict=True)
                if new is not old
            ]
            structure, changed = outputs, [variable for variable, _ in updates]
            return tf.nest.flatten(outputs), [new for _, new in updates]

        @tf.custom_gradient
        def unit(*tensors: Tensor) -> Any:
            outputs, updates = forward(list(tensors))

            def gradient(*upstream: Tensor) -> Any:
                upstream = upstream[: len(outputs)]
                # Not before it is needed.
                with tf.control_dependencies(upstream):
                    again = [tf.identity(tensor) for tensor in tensors]
                targets, _ = forward(again)
                return gradients(targets, again, upstream)

            return [*outputs, *updates], gradient

        found = unit(*tf.nest.flatten(inputs), *trained)
        outputs = len(found) - len(changed)
        for variable, value in zip(changed, found[outputs:], strict=True):
            variable.assign(value)
        return tf.nest.pack_sequence_as(structure, found[:outputs])


class _Run(keras.layers.Layer):
    """A layer as it is called in training, wherever that happens.

    Args:
        layer: the layer, whose own weights and precision stay its business.
    """

    def __init__(self, layer: keras.layers.Layer):
        super().__init__(autocast=False, dtype=layer.dtype_policy, name="recomputed")
        # In a function, where Keras doesn't see it.
        self._layer = lambda: layer
        self.built = True

    def __call__(self, inputs: Any) -> Any:
        return super().__call__(inputs, training=True)

    def call(self, inputs: Any, training: bool = True) -> Any:
        # Keras tells the layers inside that it is training.
        return self._layer()(inputs)


class _Values(keras.StatelessScope):
    """A scope in which variables have given values, and what is assigned goes no further."""

    def get_current_value(self, variable: Any) -> Tensor:
        value = super().get_current_value(variable)
        if value is None:
            # Its gradient would be lost.
            raise TfsegError(f"`remat`: a block uses {variable.path}, which isn't its own")
        return value
