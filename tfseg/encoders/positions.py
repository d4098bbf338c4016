"""What a layer does to the positions of a map; where nothing says so, it is found by trying."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfseg.encoders.dilation import named
from tfseg.errors import TfsegError

# A multiple of all usual strides, so that sizes divide exactly.
PROBE = 2**7 * 3**3 * 5 * 7

# What is known to leave the positions alone. Others are tried.
POINTWISE = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.Multiply,
    keras.layers.ReLU,
)


def tensors_of(values: Any) -> list:
    """The symbolic tensors in nested values."""
    flat = keras.tree.flatten(values)
    return [value for value in flat if isinstance(value, keras.KerasTensor)]


def _map(values: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of all symbolic tensors in nested values."""
    return keras.tree.map_structure(
        lambda value: function(value) if isinstance(value, keras.KerasTensor) else value, values
    )


def measure(
    layer: Any, excess: tuple[int, int], grids: dict[int, Any], args: tuple, kwargs: dict
) -> tuple[int, tuple[int, int]]:
    """The stride of a layer, and by how much its maps are larger than their share, from its sizes.

    Args:
        layer: a layer or operation.
        excess: by how much its inputs are larger, [rows, columns].
        grids: {id of a tensor: whether it has positions}.
        args, kwargs: what it is called with, symbolic.

    Raises:
        TfsegError: it makes maps larger.
    """
    sizes = []
    for length in (PROBE, 2 * PROBE):

        def sized(tensor: Any, length: int = length) -> Any:
            if not grids[id(tensor)]:
                return keras.KerasTensor((1, *tensor.shape[1:]), tensor.dtype)
            size = [length + more for more in excess]
            return keras.KerasTensor((1, *size, tensor.shape[-1]), tensor.dtype)

        probes = _map((args, kwargs), sized)
        outputs = layer.compute_output_spec(*probes[0], **probes[1])
        sizes.append(keras.tree.flatten(outputs)[0].shape[1:3])
    step = sizes[1][0] - sizes[0][0]
    if not step or PROBE % step:
        raise TfsegError(f"{named(layer)} makes maps larger: its stride can't be found")
    return PROBE // step, (sizes[0][0] - step, sizes[0][1] - step)


def is_gridless(outputs: Any) -> bool:
    """Whether it has no positions any more: global averages, and what is made of them."""
    shapes = [tensor.shape for tensor in tensors_of(outputs)]
    return all(
        (len(shape) == 2 and shape[1] is not None) or (len(shape) == 4 and shape[1:3] == (1, 1))
        for shape in shapes
    )


def is_pointwise(layer: Any, grids: dict[int, Any], args: tuple, kwargs: dict) -> bool:
    """Whether no output depends on the input at another position; found by trying."""
    generator = np.random.default_rng(0)

    def random(tensor: Any) -> Any:
        size = (3, 3, tensor.shape[-1]) if grids[id(tensor)] else tensor.shape[1:]
        return generator.standard_normal((1, *size)).astype(tensor.dtype)

    def changed(tensor: Any, value: Any) -> Any:
        value = value.copy()
        if grids[id(tensor)]:
            value[:, 1, 1] += 1
        return value

    values = _map((args, kwargs), random)
    others = keras.tree.map_structure(
        lambda spec, value: changed(spec, value) if isinstance(spec, keras.KerasTensor) else value,
        (args, kwargs),
        values,
    )
    results = []
    for call_args, call_kwargs in (values, others):
        outputs = keras.tree.flatten(layer(*call_args, **call_kwargs))
        results.append([keras.ops.convert_to_numpy(output) for output in outputs])
    outside = np.ones((3, 3), bool)
    outside[1, 1] = False
    return all(
        one.shape[:3] == (1, 3, 3) and np.allclose(one[:, outside], other[:, outside])
        for one, other in zip(*results, strict=True)
    )
