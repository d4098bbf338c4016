"""Batch norms merged into the convolutions before them, for inference.

Where it uses its running averages, batch normalisation is gain * x + shift for each channel. The
gain goes into the convolution's kernel, the shift becomes its bias, and the layer is gone.
"""

from typing import Any

import numpy as np

from tfseg.errors import TfsegError
from tfseg.layers import ConvBN, sublayers
from tfseg.models.precisions import precision, precision_of
from tfseg.models.table import is_name
from tfseg.models.variables import variable_names


def fold(model: Any) -> Any:
    """The same network without batch norms: the same outputs up to rounding, in less time.

    It is a model of its own, with the option `folded` beside the others. What can't be done with
    it is to train on, or to load weights that have batch norms.

    Args:
        model: a `Segmenter` or `Classifier`; it stays as it is. One that is folded already is
            returned itself, and so is one made of objects, which no recipe builds again.

    Returns:
        A `Segmenter` or `Classifier`.

    Raises:
        TfsegError: the running statistics aren't finite.
    """
    if model.spec.options.get("folded") or not is_name(model.spec.name):
        return model
    with precision(precision_of(model)):
        folded = model.spec.build_to_load(folded=True)
    values = variable_names(model)
    merged = {}
    for unit in sublayers(model):
        if isinstance(unit, ConvBN):
            kernel, bias = _merge(unit)
            merged[unit.conv.kernel.path] = kernel
            merged[unit.conv.kernel.path.removesuffix("kernel") + "bias"] = bias
    for path, variable in variable_names(folded).items():
        if "seed_generator" in path:  # a dropout's random numbers, which inference has no use for
            continue
        variable.assign(merged[path] if path in merged else values[path].numpy())
    return folded


def _merge(unit: ConvBN) -> tuple[np.ndarray, np.ndarray]:
    """(kernel, bias) that do what a `ConvBN`'s convolution and batch norm do."""
    norm: Any = unit.bn
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    gamma, beta, mean, variance = (np.asarray(getattr(norm, name), np.float64) for name in names)
    gain = gamma / np.sqrt(variance + norm.epsilon)
    kernel, bias = np.asarray(unit.conv.kernel, np.float64) * gain, beta - mean * gain
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise TfsegError(f"{norm.path} can't be folded: its variance or weights aren't finite")
    return kernel, bias
