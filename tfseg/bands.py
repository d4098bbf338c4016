"""What the numbers of an image mean: how many channels it has, and between which values."""

import dataclasses
from typing import Any

import numpy as np

from tfseg.checks import are_numbers, are_whole, is_whole
from tfseg.errors import TfsegError
from tfseg.words import counted

# A file may state it, and shall not state a first kernel that fills the memory.
MOST_CHANNELS = 1024
# The 1st and the 99th percentile become black and white in pictures of more than 8 bits.
_SHOWN = (1, 99)
_LEVELS = (0.0, 255.0)


@dataclasses.dataclass(frozen=True)
class Bands:
    """The channels of a data set's images.

    Images are arrays of the values that the files have: uint8 [H, W, channels] where they lie in
    0..255, which is what 8 bits hold, and otherwise float32, which keeps 16 bits exactly.

    Attributes:
        channels: how many there are.
        value_range: the lowest and highest value; they mean what 0 and 255 mean in a photograph.
        rgb_bands: the channels, from 0, that people are shown as red, green and blue; None for the
            first three, or for the first alone where there are fewer.

    Raises:
        TfsegError: on values outside these ranges.
    """

    channels: int = 3
    value_range: tuple[float, ...] = _LEVELS
    rgb_bands: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.channels, 1, MOST_CHANNELS):
            raise TfsegError(
                f"channels must be a whole number in 1..{MOST_CHANNELS}, not {self.channels!r:.80}"
            )
        span = self.value_range
        if not are_numbers(span) or len(span) != 2 or not span[0] < span[1]:
            raise TfsegError(
                f"value_range must be the lowest and the highest value, such as [0, 65535], "
                f"not {span!r:.80}"
            )
        low, high = (float(value) for value in span)
        if max(abs(low), abs(high)) > 1e38 or np.float32(low) == np.float32(high):
            raise TfsegError(f"value_range is not one of float32 numbers: {span!r:.80}")
        object.__setattr__(self, "value_range", (low, high))
        bands = self.rgb_bands
        if bands is None:
            bands = (0, 1, 2) if self.channels >= 3 else (0, 0, 0)
        if not are_whole(bands, 0, self.channels - 1) or len(bands) != 3:
            raise TfsegError(
                f"rgb_bands must be three channels in 0..{self.channels - 1}, not {bands!r:.80}"
            )
        object.__setattr__(self, "rgb_bands", tuple(int(band) for band in bands))

    @property
    def in_levels(self) -> bool:
        """Whether 8 bits hold the values, so that images are uint8."""
        return self.value_range == _LEVELS

    @property
    def is_photograph(self) -> bool:
        """Whether images are 8-bit RGB."""
        return self.channels == 3 and self.in_levels

    @property
    def dtype(self) -> str:
        """Of images: "uint8" or "float32"."""
        return "uint8" if self.in_levels else "float32"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them, of what isn't an 8-bit RGB image's."""
        values = {
            "channels": self.channels,
            "value_range": [int(x) if x.is_integer() else x for x in self.value_range],
            "rgb_bands": list(self.rgb_bands or ()),
        }
        usual = {"channels": 3, "value_range": [0, 255], "rgb_bands": [0, 1, 2]}
        return {} if values == usual else values

    def describe(self) -> str:
        """What images there are, for messages: "3 channels of values in 0..255"."""
        return f"{counted(self.channels, 'channel')} of values in " + "..".join(
            f"{value:g}" for value in self.value_range
        )

    def to_levels(self, images: Any) -> Any:
        """Float images (any array or tensor type) with `value_range` laid on 0..255."""
        if self.in_levels:
            return images
        low, high = self.value_range
        return (images - np.float32(low)) * np.float32(255 / (high - low))

    def fault(self, channels: int, bits: int, alpha: bool = False) -> str | None:
        """Why a file's pixels are not such as these, or None.

        Args:
            channels: how many it has.
            bits: of each: 8 or 16, or 32 for floats.
            alpha: whether the last channel is called transparency, which is dropped unless four
                channels are wanted.
        """
        own = channels if self.channels == 4 else channels - alpha
        # Grey photographs have always been taken for RGB.
        if own != self.channels and not (self.channels == 3 and own == 1):
            return f"has {counted(channels, 'channel')}; {self.describe()} are expected"
        if self.in_levels and bits > 8:
            span = "the lowest and the highest value" if bits == 32 else "[0, 65535]"
            return (
                f"has {counted(bits, 'bit')}, which would be cut to 8: {self.describe()} are "
                f"expected; a data folder that is prepared from such images has {span} as its "
                "value_range"
            )
        if bits == 8 and self.value_range[1] > 255:
            return f"has 8 bits; {self.describe()} are expected"
        return None

    def require_rgb(self, what: str) -> None:
        """Refuses what `what` is not made for.

        Raises:
            TfsegError: these are not 8-bit RGB.
        """
        if not self.is_photograph:
            raise TfsegError(f"{what} takes 8-bit RGB images, not {self.describe()}")

    def picture(self, image: np.ndarray) -> np.ndarray:
        """An image as people are shown it: uint8 [H, W, 3] of its `rgb_bands`.

        Other values than those in 0..255 are stretched: the image's 1st percentile becomes black
        and the 99th white.
        """
        if self.is_photograph and self.rgb_bands == (0, 1, 2):
            return image
        shown = image[..., list(self.rgb_bands or ())]
        if self.in_levels:
            return shown
        # A million values tell it as well as all.
        step = max(1, int(np.sqrt(shown.size / 3e6)))
        low, high = np.percentile(shown[::step, ::step], _SHOWN)
        gain = 255 / (high - low) if high > low else 0
        return np.clip(np.rint((shown - low) * gain), 0, 255).astype(np.uint8)


RGB = Bands()
