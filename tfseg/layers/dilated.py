"""Dilated convolutions that are smoothed against gridding.

The taps of a dilated convolution lie `dilation_rate` pixels apart, so neighbouring outputs see
disjoint sets of inputs. Two papers answer that with a cheap linear step beside the convolution:

    Wang and Ji, "Smoothed Dilated Convolutions for Improved Dense Prediction", KDD 2018:
        decompose (section 3.1), smooth_GI (3.2), smooth_SSC (3.3).
    Donhauser et al., "Efficient Smoothing of Dilated Convolutions for Image Segmentation", 2019,
        arXiv 1903.07992: average_filter, gaussian_filter, aggregation.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfseg.checks import require_switch
from tfseg.errors import TfsegError, unknown
from tfseg.layers.conv import Conv2D, convolve
from tfseg.layers.filters import apply_filter, box, delta, embed, gaussian
from tfseg.types import Shape, Tensor

# dilated_type: the filters before its convolution; several are summed, each times a factor.
FILTERS = {
    "regular": (),
    "decompose": (),
    "smooth_GI": (),
    "smooth_SSC": ("ssc",),
    "average_filter": ("average",),
    "gaussian_filter": ("gaussian",),
    "aggregation": ("input", "average", "gaussian", "ssc"),
}
# What the weights of filters are called, of layers and of networks.
FILTER_WEIGHTS = ("ssc", "average", "mixing", "log_sigma", "factors")
SIGMAS = ("fixed", "layer", "network")
FACTORS = ("raw", "softmax")

# The published Gaussian is exp(-(x^2 + y^2)), normalised.
_LOG_SIGMA = math.log(math.sqrt(0.5))


@keras.saving.register_keras_serializable("tfseg")
class Smoothing(keras.layers.Layer):
    """How a network smooths its dilated convolutions, and the weights that all of them share.

    It has no outputs of its own; `DilatedConv2D` layers look at it.

    Args:
        dilated_type: "regular", "decompose", "smooth_GI", "smooth_SSC", "average_filter",
            "gaussian_filter" or "aggregation"; see `DilatedConv2D`.
        trainable_average: whether average filters are trained, one for each channel, as in the
            published code; False keeps the paper's mean.
        gaussian_sigma: "fixed" at sqrt(1/2) pixels, or learned from there: one per "layer", or one
            for the whole "network".
        aggregation_weights: "raw" takes the four factors as they are, as the published code does;
            "softmax" makes them positive and sum to one.

    Raises:
        TfsegError: a value that isn't among these.
    """

    def __init__(
        self,
        dilated_type: str = "regular",
        trainable_average: bool = False,
        gaussian_sigma: str = "fixed",
        aggregation_weights: str = "raw",
        name: str = "smoothing",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        if dilated_type not in list(FILTERS):  # a list, for values without a hash
            raise unknown("dilated_type", dilated_type, FILTERS)
        require_switch("trainable_average", trainable_average)
        if gaussian_sigma not in SIGMAS:
            raise unknown("gaussian_sigma", gaussian_sigma, SIGMAS)
        if aggregation_weights not in FACTORS:
            raise unknown("aggregation_weights", aggregation_weights, FACTORS)
        self.dilated_type = dilated_type
        self.trainable_average = trainable_average
        self.gaussian_sigma = gaussian_sigma
        self.aggregation_weights = aggregation_weights

    def build(self) -> None:
        filters = FILTERS[self.dilated_type]
        self.log_sigma = self.factors = None
        if "gaussian" in filters and self.gaussian_sigma == "network":
            self.log_sigma = add_filter(self, "log_sigma", (), _LOG_SIGMA)
        if len(filters) > 1:
            initial = 1 / len(filters) if self.aggregation_weights == "raw" else 0.0
            self.factors = add_filter(self, "factors", (len(filters),), initial)

    def filter_factors(self) -> Sequence[Tensor]:
        """The factor of each of the type's filters, in order."""
        if self.factors is None:
            return [1.0]
        # A variable is no tensor that jax and torch could take apart.
        factors = ops.convert_to_tensor(self.factors)
        return ops.unstack(factors if self.aggregation_weights == "raw" else ops.softmax(factors))

    @classmethod
    def of(cls, value: "Smoothing | dict[str, Any] | None") -> "Smoothing":
        """`value` itself, or one made from a dict of arguments (None for none)."""
        return value if isinstance(value, cls) else cls(**(value or {}))

    def options(self) -> dict[str, Any]:
        """The arguments that make an equal one, as a dict."""
        names = ("dilated_type", "trainable_average", "gaussian_sigma", "aggregation_weights")
        return {name: getattr(self, name) for name in names}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options()}


def add_filter(layer: keras.layers.Layer, name: str, shape: Shape, initial: Any) -> Tensor:
    """A weight of `layer` that belongs to a filter; float32 under half-precision policies."""
    return layer.add_weight(
        name=name,
        shape=shape,
        initializer=keras.initializers.Constant(initial),
        dtype=_filter_dtype(layer),
        autocast=False,
    )


def _filter_dtype(layer: keras.layers.Layer) -> str:
    return keras.backend.result_type(layer.compute_dtype, "float32")


@keras.saving.register_keras_serializable("tfseg")
class DilatedConv2D(Conv2D):
    """A convolution with spread taps, smoothed in one of the published ways.

    With the dilation rate d, by dilated type:

    - regular: the convolution alone.
    - decompose: the same, computed as one convolution of d x d interleaved maps.
    - smooth_GI (group interaction): the d x d interleaved outputs are mixed by a learned
      [d^2, d^2] matrix. Where d doesn't divide the size, the map is first padded with zeros below
      and on the right, as in the published code, and cut to size at the end.
    - smooth_SSC (separable and shared): a (2d-1) x (2d-1) filter that all channels share comes
      first; one at its middle plus learned weights.
    - average_filter, gaussian_filter: a (d-1) x (d-1) mean or Gaussian comes first, so at d = 2
      both do nothing unless trained.
    - aggregation: the sum of input, average, Gaussian and SSC, each times a factor that the whole
      network shares, 1/4 at first.

    GI and SSC start as the plain convolution. All filters have zero padding. For odd d, a filter
    of even size has its tap (d-2)//2 on the pixel itself. At d = 1 there is nothing to smooth, and
    every type is the plain convolution.

    Args:
        filters, kernel_size, strides, dilation_rate, padding: as for `Conv2D`.
        use_bias, kernel_initializer, groups: as for `Conv2D`.
        smoothing: a `Smoothing`, shared by a network's layers, or a dict of its arguments.

    Input [N, H, W, C], output [N, ceil(H / strides), ceil(W / strides), filters].

    Raises:
        TfsegError: a value that isn't known, or a stride under decompose or smooth_GI.
    """

    def __init__(self, *args: Any, smoothing: Any = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.smoothing = Smoothing.of(smoothing)
        self.dilated_type = self.smoothing.dilated_type if self.dilation_rate > 1 else "regular"
        if self.dilated_type in ("decompose", "smooth_GI") and self.strides > 1:
            raise TfsegError(f"dilated_type {self.dilated_type} takes no stride")

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if not self.smoothing.built:
            self.smoothing.build()
        rate, filters = self.dilation_rate, FILTERS[self.dilated_type]
        self.ssc = self.average = self.log_sigma = self.mixing = None
        if "ssc" in filters:
            self.ssc = add_filter(self, "ssc", (2 * rate - 1,) * 2, 0.0)
        if "average" in filters and self.smoothing.trainable_average:
            shape = (rate - 1, rate - 1, input_shape[-1])
            self.average = add_filter(self, "average", shape, 1 / (rate - 1) ** 2)
        if "gaussian" in filters and self.smoothing.gaussian_sigma == "layer" and rate > 2:
            self.log_sigma = add_filter(self, "log_sigma", (), _LOG_SIGMA)
        if self.dilated_type == "smooth_GI":
            self.mixing = add_filter(self, "mixing", (rate**2,) * 2, np.eye(rate**2))

    def call(self, inputs: Tensor) -> Tensor:
        if self.dilated_type in ("decompose", "smooth_GI"):
            return self._with_bias(self._decomposed(inputs))
        return self._with_bias(self._convolve(self._filtered(inputs)))

    def _decomposed(self, inputs: Tensor) -> Tensor:
        """A plain convolution of each group of pixels, and group interaction between them."""
        rate = self.dilation_rate
        size = ops.shape(inputs)[1:3]
        missing = [-length % rate for length in size]
        inputs = ops.pad(inputs, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
        rows, columns = ((a + b) // rate for a, b in zip(size, missing, strict=True))
        # Pixel (rate * i + p, rate * j + q) belongs to group rate * p + q.
        maps = ops.reshape(inputs, (-1, rows, rate, columns, rate, inputs.shape[-1]))
        maps = ops.transpose(maps, (0, 2, 4, 1, 3, 5))
        maps = convolve(ops.reshape(maps, (-1, rows, columns, inputs.shape[-1])), self.kernel)
        if self.mixing is not None:
            maps = ops.reshape(maps, (-1, rate**2, rows * columns * self.filters))
            maps = ops.matmul(ops.cast(ops.transpose(self.mixing), maps.dtype), maps)
        maps = ops.reshape(maps, (-1, rate, rate, rows, columns, self.filters))
        maps = ops.transpose(maps, (0, 3, 1, 4, 2, 5))
        outputs = ops.reshape(maps, (-1, rows * rate, columns * rate, self.filters))
        return outputs[:, : size[0], : size[1]]

    def _filtered(self, inputs: Tensor) -> Tensor:
        """The filters that all channels share act as one, in one pass over the map."""
        filters = FILTERS[self.dilated_type]
        taps = [self._taps(name) for name in filters]
        if not taps or (self.dilation_rate == 2 and self._does_nothing(filters)):
            return inputs
        shared: list[Tensor] = []
        outputs: list[Tensor] = []
        for factor, one in zip(self.smoothing.filter_factors(), taps, strict=True):
            (shared if len(one.shape) == 2 else outputs).append(ops.multiply(factor, one))
        outputs = [apply_filter(inputs, one) for one in outputs]
        if shared:
            size = max(one.shape[0] for one in shared)
            outputs.append(apply_filter(inputs, sum(embed(one, size) for one in shared)))
        return sum(outputs[1:], outputs[0])

    def _does_nothing(self, filters: tuple[str, ...]) -> bool:
        return filters == ("gaussian",) or (filters == ("average",) and self.average is None)

    def _taps(self, name: str) -> Tensor:
        """One filter: [k, k], or [k, k, C] where channels differ."""
        rate, dtype = self.dilation_rate, _filter_dtype(self)
        if name == "input":
            return delta(1, dtype)
        if name == "ssc":
            return self.ssc + delta(2 * rate - 1, dtype)
        if name == "average":
            if self.average is None:
                return box(rate - 1, dtype)
            return ops.convert_to_tensor(self.average)
        learned = self.log_sigma if self.log_sigma is not None else self.smoothing.log_sigma
        sigma = math.exp(_LOG_SIGMA) if learned is None else ops.exp(learned)
        return gaussian(rate - 1, sigma, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing.options()}
