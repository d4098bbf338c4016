"""What happens to an image before the network: it belongs to the model and travels with it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfseg.bands import RGB, Bands
from tfseg.checks import is_number
from tfseg.errors import TfsegError
from tfseg.types import Tensor
from tfseg.words import counted

CHANNEL_ORDERS = ("RGB", "BGR")
# What of `Bands` isn't told by the number of means.
_SPAN = ("value_range", "rgb_bands")


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Maps an image in 0..255 to the network's input: ``(x * scale - mean) / std``.

    Attributes:
        mean: a number for each channel, in units of ``x * scale`` and in `channel_order`.
        std: a positive number for each, likewise.
        channel_order: "RGB", or "BGR" for networks whose weights come from Caffe or OpenCV.
        scale: factor from 0..255 to the units of `mean` and `std`; 1/255 for means given as
            fractions of one, 1.0 for means in 0..255.
        value_range, rgb_bands: what the images' numbers mean: see `tfseg.bands.Bands`. Other ranges
            are laid on 0..255 first.

    Raises:
        TfsegError: on values outside these ranges.
    """

    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)
    channel_order: str = "RGB"
    scale: float = 1 / 255
    value_range: tuple[float, ...] = RGB.value_range
    rgb_bands: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            try:
                value = tuple(float(x) for x in getattr(self, name))
            except (TypeError, ValueError):
                value = ()
            if not value or not np.all(np.isfinite(value)):
                stated = f"{getattr(self, name)!r:.80}"
                raise TfsegError(f"{name} must be a finite number for each channel, not {stated}")
            object.__setattr__(self, name, value)
        if len(self.mean) != len(self.std):
            raise TfsegError(
                f"mean has {counted(len(self.mean), 'number')} and std {len(self.std)}: one for "
                "each channel"
            )
        if min(self.std) <= 0:
            raise TfsegError(f"std must be positive, not {list(self.std)}")
        if self.channel_order not in CHANNEL_ORDERS:
            raise TfsegError(f"channel_order must be RGB or BGR, not '{self.channel_order}'")
        if self.channel_order != "RGB" and len(self.mean) != 3:
            raise TfsegError(f"channel_order BGR is for three channels, not {len(self.mean)}")
        bands = self.bands
        object.__setattr__(self, "value_range", bands.value_range)
        object.__setattr__(self, "rgb_bands", bands.rgb_bands)
        if not is_number(self.scale) or self.scale <= 0:
            raise TfsegError(f"scale must be a positive number, not {self.scale!r:.80}")

    @classmethod
    def of(cls, info: Any) -> "Preprocessing":
        """The normalisation that a `DataInfo` states, by the training images' mean and std."""
        return cls(info.mean, info.std, value_range=info.value_range, rgb_bands=info.rgb_bands)

    def on(self, bands: Bands) -> "Preprocessing | None":
        """The same for images of these bands; None where they have other channels."""
        if bands.channels != self.bands.channels:
            return None
        return dataclasses.replace(self, value_range=bands.value_range, rgb_bands=bands.rgb_bands)

    @property
    def bands(self) -> Bands:
        """`Bands` of the images."""
        return Bands(len(self.mean), self.value_range, self.rgb_bands)

    def normalize(self, images: Tensor) -> Any:
        """Images [..., channels] (any array or tensor type that has arithmetic) to float32.

        uint8 tensors have to be cast to float32 by the caller; NumPy arrays need not.
        """
        if isinstance(images, np.ndarray):
            images = images.astype(np.float32)
        return self.normalize_levels(self.bands.to_levels(images))

    def normalize_levels(self, images: Tensor) -> Any:
        """The same of float images whose values `Bands.to_levels` has laid on 0..255."""
        gain, shift = self.gain_and_shift
        return self.ordered(images) * gain - shift

    def ordered(self, images: Tensor) -> Any:
        """Images [..., channels] with the channels in the network's order."""
        return images[..., ::-1] if self.channel_order == "BGR" else images

    @property
    def gain_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 [channels] each: ordered levels times the first, less the second, are normal."""
        std = np.asarray(self.std, np.float32)
        return np.float32(self.scale) / std, np.asarray(self.mean, np.float32) / std

    @property
    def fill(self) -> tuple[float, ...]:
        """The colour (floats in `value_range`) that normalises to zero: what padding is made of."""
        colour = np.asarray(self.mean) / self.scale
        if not self.bands.in_levels:
            low, high = self.value_range
            colour = low + colour * (high - low) / 255
        return tuple(float(x) for x in (colour[::-1] if self.channel_order == "BGR" else colour))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "channel_order": self.channel_order,
            "scale": self.scale,
            **{name: self.bands.to_dict()[name] for name in _SPAN if self.bands.to_dict()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`.

        Raises:
            TfsegError: unknown entries, or values out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) - names:
            raise TfsegError(f"preprocessing may state {', '.join(sorted(names))}, not {values}")
        return cls(**values)


# The published ones, in 0..255 where the weights were trained on such images.
PREPROCESSINGS = {
    # torchvision and the DRN classifiers
    "imagenet": Preprocessing(),
    # Caffe's networks, and whatever started from their weights: all DeepLab v2
    "caffe": Preprocessing((104.008, 116.669, 122.675), (1.0, 1.0, 1.0), "BGR", 1.0),
    # the ADE20K code until 2019; its later models take "imagenet"
    "ade20k": Preprocessing((102.9801, 115.9465, 122.7717), (1.0, 1.0, 1.0), "BGR", 1.0),
    # TF-slim's ImageNet classifiers
    "slim": Preprocessing((123.68, 116.78, 103.94), (1.0, 1.0, 1.0), "RGB", 1.0),
    # TensorFlow's ImageNet classifiers since Inception, also in Keras: -1..1
    "tf": Preprocessing((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), "RGB", 1 / 127.5),
    # EfficientNetV2-S, M and L
    "efficientnetv2": Preprocessing((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), "RGB", 1 / 128),
}
