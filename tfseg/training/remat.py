"""Gradient checkpointing: what a network needs for its gradients is computed a second time.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, section 4.
"""

from collections.abc import Mapping
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
        encoder, decoder = model.encoder, getattr(model, "decoder", None)
        network = encoder.model if isinstance(encoder, FeatureEncoder) else encoder
        blocks = [layer for layer in network.layers if sublayers(layer)]
        chain = {} if blocks else _stages(network, list(encoder.strides))
        self.units = blocks or list(chain.values())
        if decoder is not None and sublayers(decoder):
            self.units.append(decoder)
        # Models stay as they are: these are others, of the same layers.
        called: dict[int, Any] = {id(layer): _Unit(layer) for layer in self.units}
        if chain:
            called[id(network)] = _chain({n: called[id(stage)] for n, stage in chain.items()})
        for whole in (network, encoder, model):
            if id(whole) not in called:
                called[id(whole)] = _calling(whole, called)
        self._model = called[id(model)]

    def __call__(self, images: Tensor) -> Any:
        """The outputs in training."""
        return self._model(images, training=True)


def _calling(model: keras.Model, called: Mapping[int, Any]) -> keras.Model:
    """The model with other functions in the places of some of its layers, {id(layer): function}."""

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        return called[id(layer)](*args) if id(layer) in called else layer(*args, **kwargs)

    return keras.models.clone_model(model, clone_function=lambda x: x, call_function=call)


def _chain(stages: Mapping[str, Any]) -> Any:
    """A function from images to {stage: what it makes of the output of the one before}."""

    def features(maps: Tensor) -> dict[str, Tensor]:
        found = {}
        for name, stage in stages.items():
            maps = found[name] = stage(maps)
        return found

    return features


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


class _Unit(keras.layers.Layer):
    """A layer in training, with recomputing."""

    def __init__(self, layer: keras.layers.Layer):
        super().__init__(autocast=False, dtype=layer.dtype_policy, name=f"{layer.name}_again")
        self._run = _Run(layer)
        # A smoothing's weights are those of all blocks that look at it.
        found = {id(v): v for one in (layer, *sublayers(layer)) for v in one.variables}
        # In functions, where Keras doesn't see them.
        self._trained = lambda: [v for v in found.values() if v.trainable]
        self._kept = lambda: [v for v in found.values() if not v.trainable]
        self._spec = layer.compute_output_spec
        self.built = True

    def compute_output_spec(self, inputs: Any, training: bool = True) -> Any:
        return self._spec(inputs)

    def call(self, inputs: Any, training: bool = True) -> Any:
        held, learned = self._kept(), self._trained()
        kept = [tf.convert_to_tensor(variable) for variable in held]
        trained = [tf.convert_to_tensor(variable) for variable in learned]
        count = len(tf.nest.flatten(inputs))
        structure, changed = None, []

        def forward(tensors: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            """Outputs, and the new values of the variables that have one."""
            nonlocal structure, changed
            values = zip(learned, tensors[count:], strict=True)
            scope = _Values([*values, *zip(held, kept, strict=True)])
            with scope:
                outputs = self._run(tf.nest.pack_sequence_as(inputs, tensors[:count]))
            now = [scope.get_current_value(variable) for variable in held]
            updates = [
                (variable, new)
                for variable, old, new in zip(held, kept, now, strict=True)
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
