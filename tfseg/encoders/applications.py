"""The networks of Keras Applications as encoders."""

from typing import Any

import keras

from tfseg.encoders.features import FeatureEncoder
from tfseg.encoders.keras_models import from_keras
from tfseg.encoders.table import ENCODERS, EncoderRow
from tfseg.errors import TfsegError


@keras.saving.register_keras_serializable("tfseg")
class ApplicationEncoder(FeatureEncoder):
    """A network of `keras.applications` without its classifier and preprocessing.

    Args:
        variant: name of a row of `ENCODERS`.
        output_stride: see `from_keras`; default the network's own.
        blocks, multi_grid: None; these networks have theirs.
        conv: dict of further `ConvBN` arguments, of which `batch_norm` is for these networks too.
        smoothing: none; it is for convolutions of ResNets and DRNs.
        weights: None for fresh ones, "imagenet" for those that Keras downloads, or the path of
            such a file.

    Raises:
        TfsegError: an argument that these networks haven't got, or weights that can't be had.
    """

    def __init__(
        self,
        variant: str,
        output_stride: int | None = None,
        blocks: list[int] | None = None,
        multi_grid: list[int] | None = None,
        conv: dict[str, Any] | None = None,
        smoothing: dict[str, Any] | None = None,
        weights: str | None = None,
    ):
        kind = (smoothing or {}).get("dilated_type", "regular")
        refused = {"blocks": blocks, "multi_grid": multi_grid}
        refused["dilated_type"] = None if kind == "regular" else kind
        for name, value in refused.items():
            if value is not None:
                raise TfsegError(f"{name} is for ResNets and DRNs; {variant} is built as published")
        self._conv = {"batch_norm": (conv or {}).get("batch_norm") or {}}
        network = _network(ENCODERS.find(variant), weights)
        super().__init__(from_keras(network, output_stride, self._conv["batch_norm"]).model)
        self.variant = variant

    def get_config(self) -> dict:
        return {
            "variant": self.variant,
            "output_stride": self.output_stride,
            "conv": self._conv,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "ApplicationEncoder":
        return cls(**config)


def _network(row: EncoderRow, weights: str | None) -> keras.Model:
    arguments = {"include_top": False, "input_shape": (None, None, 3), **row.arguments}
    application = getattr(keras.applications, row.application)
    try:
        return application(weights=weights, **arguments)
    except Exception as error:
        if weights is None:
            raise
        # A failed download is an `Exception` of no class of its own.
        cause = str(error).strip().partition("\n")[0]
        raise TfsegError(f"weights={weights} of {row.name} can't be had: {cause}") from error
