"""Any functional Keras model as an encoder, at the output stride that is asked for."""

import re
from typing import Any

import keras

from tfseg.checks import require_number
from tfseg.encoders.dilation import Grid, dilate, named
from tfseg.encoders.features import FeatureEncoder
from tfseg.encoders.positions import POINTWISE, is_gridless, is_pointwise, measure, tensors_of
from tfseg.errors import TfsegError
from tfseg.layers import BatchNorm
from tfseg.words import counted


def from_keras(
    model: keras.Model, output_stride: int | None = 8, batch_norm: dict[str, Any] | None = None
) -> FeatureEncoder:
    """An encoder made of a Keras classifier or backbone, which stays as it is.

    Strides beyond the output stride are given up, and all that follows is dilated: convolutions,
    depthwise and separable ones, pools, paddings, croppings. Gates over the whole map (squeeze and
    excite) stay; they average a denser map. The features are those that all paths through the
    network share, the last at each stride of the network as it was; what comes behind a global
    pooling is left out.

    Chen et al., "DeepLab", TPAMI 2018, section 3.1.

    Args:
        model: a functional or sequential model of images [N, H, W, 3], with the weights that it
            has; its size may be fixed. Such as `keras.applications.EfficientNetV2B0(
            include_top=False, weights=None)`.
        output_stride: of the encoder; None leaves the model's own.
        batch_norm: dict of `BatchNorm`'s arguments in place of those of the model's layers.

    Returns:
        A `FeatureEncoder` with weights of its own. Its batch norms are `BatchNorm`, the same over
        all replicas. Images are those that the model takes: a preprocessing outside of the model
        is yours to do, one inside of it is part of the encoder.

    Raises:
        TfsegError: it is no such model, or a layer can't be dilated; the message names it.
    """
    _check(model, output_stride)
    walk = _Walk(output_stride, batch_norm or {})
    images = keras.Input((None, None, 3), name="images")
    walk.grids[id(images)] = Grid()
    outputs = walk.through(model, images)
    features = walk.features(images, keras.tree.flatten(outputs))
    last = walk.grids[id(features[-1])]
    if output_stride is not None and last.stride != last.rate * output_stride:
        raise TfsegError(
            f"output_stride={output_stride}: the features of {model.name} have "
            f"{last.stride // last.rate}, and no layer whose stride could make it {output_stride}"
        )
    levels = {f"stage{number}": maps for number, maps in enumerate(features, 1)}
    return FeatureEncoder(keras.Model(images, levels, name=model.name))


def _check(model: Any, output_stride: Any) -> None:
    if output_stride is not None:
        require_number("output_stride", output_stride, 1, whole=True)
    shape = getattr(model, "input_shape", None) if isinstance(model, keras.Model) else None
    graph = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if shape is None or not graph:
        raise TfsegError(
            "from_keras takes a functional or sequential Keras model that is built, not "
            f"{getattr(model, 'name', model)} ({type(model).__name__})"
        )
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3:
        raise TfsegError(f"{model.name} must take images [N, H, W, 3], not {shape}")


class _Walk:
    """A model's layers, called again on a denser grid.

    Args:
        output_stride: the largest stride to keep, or None.
        batch_norm: see `from_keras`.

    Attributes:
        grids: {id of a tensor of the new graph: its `Grid`, or None for what has no positions}.
        calls: (inputs, outputs) of all layers, in order.
    """

    def __init__(self, output_stride: int | None, batch_norm: dict[str, Any]):
        self.output_stride = output_stride or 2**30
        self.batch_norm = batch_norm
        self.grids: dict[int, Any] = {}
        self.calls: list[tuple[list, list]] = []
        self._made: dict[int, tuple[dict, Any]] = {}
        self._numbers: dict[str, int] = {}

    def through(self, model: keras.Model, inputs: Any) -> Any:
        """The outputs of a model on tensors of the new graph."""
        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                inputs = self.call(layer, inputs)
            return inputs
        outputs = []

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            outputs.append(self.call(layer, *args, **kwargs))
            return outputs[-1]

        clone = keras.models.clone_model(
            model, inputs, clone_function=lambda layer: layer, call_function=call
        )
        return clone.outputs

    def call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs of a layer or operation, whose grids it sets."""
        if isinstance(layer, keras.Model):
            return self._nested(layer, *args)
        kwargs = {name: value for name, value in kwargs.items() if (name, value) != ("mask", None)}
        tensors = tensors_of((args, kwargs))
        grid = self._common(layer, tensors)
        try:
            outputs, after = self._apply(layer, grid, tensors, args, kwargs)
        except (ValueError, TypeError) as error:
            raise TfsegError(f"{named(layer)} fails on images of any size: {error}") from error
        self._record(tensors, keras.tree.flatten(outputs), after)
        return outputs

    def _record(self, inputs: list, outputs: list, grid: Grid | None) -> None:
        self.calls.append((inputs, outputs))
        self.grids.update({id(tensor): grid for tensor in outputs})

    def _common(self, layer: Any, tensors: list) -> Grid | None:
        """The one grid of a layer's inputs, or None where none has positions."""
        grids = {grid for grid in (self.grids[id(tensor)] for tensor in tensors) if grid}
        if len({(grid.stride, grid.rate, grid.excess) for grid in grids}) > 1:
            strides = " and ".join(sorted(str(grid.stride) for grid in grids))
            raise TfsegError(f"{named(layer)} joins maps of strides {strides}")
        return next(iter(grids), None)

    def _apply(
        self, layer: Any, grid: Grid | None, tensors: list, args: tuple, kwargs: dict
    ) -> tuple[Any, Grid | None]:
        if not grid:  # behind a global pooling
            return self._copy(layer, {})(*args, **kwargs), None
        if found := dilate(layer, grid, self.output_stride):
            layers, after = found
            outputs = tensors[0]
            for one in layers:
                outputs = (self._copy(layer, one) if isinstance(one, dict) else one)(outputs)
            return outputs, after
        copy = self._copy(layer, {})
        outputs = copy(*args, **kwargs)
        if is_gridless(outputs):
            return outputs, None
        if any(len(tensor.shape) != 4 for tensor in tensors_of(outputs)):
            raise TfsegError(
                f"{named(layer)} makes {tensors_of(outputs)[0].shape} of a map: only layers "
                "between maps [N, H, W, C] can be dilated; leave the classifier out "
                "(include_top=False)"
            )
        if grid.rate == 1 and not isinstance(layer, POINTWISE):
            return outputs, self._measured(copy, grid, args, kwargs)
        if not isinstance(layer, POINTWISE) and not is_pointwise(copy, self.grids, args, kwargs):
            raise TfsegError(
                f"{named(layer)} looks at several positions, and how it is dilated isn't known"
            )
        return outputs, grid._replace(padded=False)

    def _measured(self, layer: Any, grid: Grid, args: tuple, kwargs: dict) -> Grid:
        """The grid behind a layer that nothing is known of, from the sizes that it gives."""
        stride, excess = measure(layer, grid.excess, self.grids, args, kwargs)
        if stride * grid.stride > self.output_stride:
            raise TfsegError(f"{named(layer)} has a stride that can't be taken out of it")
        return Grid(grid.stride * stride, 1, excess)

    def _copy(self, layer: Any, changes: dict[str, Any]) -> Any:
        """A layer like another, with its weights; the same one for each call of it."""
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation of `keras.ops`
        if id(layer) in self._made:
            before, copy = self._made[id(layer)]
            if before != changes:
                raise TfsegError(
                    f"{named(layer)} is called at several strides: it can't be dilated"
                )
            return copy
        copy = _alike(layer, {**changes, "name": self._name(layer)}, self.batch_norm)
        if layer.weights:
            copy.build_from_config(layer.get_build_config())
            for source, target in zip(layer.weights, copy.weights, strict=True):
                # A depthwise kernel is one of as many groups as there are channels.
                target.assign(keras.ops.reshape(source, target.shape))
        self._made[id(layer)] = changes, copy
        return copy

    def _name(self, layer: Any) -> str:
        """The layer's name; one that Keras counted in its process is counted in the model."""
        kind = re.sub(
            "([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
        ).lower()
        if not re.fullmatch(rf"{kind}(_\d+)?", layer.name):
            return layer.name
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}{self._numbers[kind]}"

    def _nested(self, model: keras.Model, inputs: Any) -> Any:
        """A model among a model's layers stays one, with its features as further outputs."""
        if isinstance(model, keras.Sequential):
            return self.through(model, inputs)
        grid = self._common(model, tensors_of(inputs))
        inner = _Walk(self.output_stride, self.batch_norm)
        fresh = keras.Input(inputs.shape[1:], dtype=inputs.dtype)
        inner.grids[id(fresh)] = grid
        outputs = inner.through(model, fresh)
        if len(outputs) != 1:
            raise TfsegError(
                f"{named(model)} has {counted(len(outputs), 'output')}; a part may have one"
            )
        maps = inner.cuts(fresh, outputs)
        layer = keras.Model(fresh, [*maps, *outputs], name=model.name)
        for tensor, source in zip(layer(inputs), [*maps, *outputs], strict=True):
            self._record([inputs], [tensor], inner.grids[id(source)])
            inputs = tensor
        return inputs

    def cuts(self, images: Any, outputs: list) -> list:
        """The maps that every path from the images to the outputs passes, in order."""
        last = {
            id(tensor): number for number, (used, _) in enumerate(self.calls) for tensor in used
        }
        last |= {id(tensor): len(self.calls) for tensor in outputs}
        pending, found = {id(images): images}, []
        for number, (_, made) in enumerate(self.calls):
            pending |= {id(tensor): tensor for tensor in made if id(tensor) in last}
            pending = {key: tensor for key, tensor in pending.items() if last[key] > number}
            if len(pending) == 1:
                found += [t for t in pending.values() if self.grids[id(t)] and t not in found]
        return found

    def features(self, images: Any, outputs: list) -> list:
        """The last map at each stride, from fine to coarse."""
        found: dict[int, Any] = {}
        maps = [t for _, made in self.calls for t in made if self.grids[id(t)]]
        maps = [t for t in maps if not self.grids[id(t)].padded]
        # Of networks that no map holds the whole of, such as NASNet: the widest.
        for tensor in maps:
            stride = self.grids[id(tensor)].stride
            if stride not in found or tensor.shape[-1] >= found[stride].shape[-1]:
                found[stride] = tensor
        for tensor in self.cuts(images, outputs):
            if not self.grids[id(tensor)].padded:
                found[self.grids[id(tensor)].stride] = tensor
        if not found:
            raise TfsegError("the model makes no map [N, h, w, c] of its images")
        return [found[s] for s in sorted(found) if s > 1 or len(found) == 1]


def _alike(layer: Any, changes: dict[str, Any], batch_norm: dict[str, Any]) -> Any:
    """A fresh layer of the same config but for `changes`."""
    config = {**layer.get_config(), **changes}
    kind = type(layer)
    if kind is keras.layers.BatchNormalization and layer.scale and layer.center:
        own = {"momentum": layer.momentum, "epsilon": layer.epsilon, **batch_norm}
        common = {key: config[key] for key in ("name", "trainable", "dtype")}
        return BatchNorm(**own, **common)
    if kind is keras.layers.Conv2D and layer.groups == layer.filters == layer.kernel.shape[-1]:
        # ConvNeXt's; under TensorFlow Keras compiles grouped convolutions anew for every size.
        for name in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            config[name.replace("kernel", "depthwise")] = config.pop(name)
        del config["filters"], config["groups"]
        kind = keras.layers.DepthwiseConv2D
    return kind.from_config(config)
