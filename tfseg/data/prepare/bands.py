"""Which bands the images of a source have, and sums over them."""

import collections
import dataclasses

import numpy as np

from tfseg.bands import RGB, Bands
from tfseg.data import pixel_files
from tfseg.data.image_files import opened, reading
from tfseg.data.prepare.convert import in_parallel
from tfseg.errors import TfsegError

# What a number of bits can say. That of floats is measured; until then, any will do to read them.
_RANGES = {8: (0, 255), 16: (0, 65535), 32: (0, 1)}


def survey_bands(paths, channels=None, progress=None):
    """The `Bands` that most of some images have, from their headers.

    Of 8 bits, photographs are RGB, grey ones too, as networks were trained on them; transparency is
    dropped. Otherwise all bands are kept: of 16-bit grey the one.

    Args:
        paths: image files. One that can't be read has no say.
        channels: how many are wanted; None for what there is.
        progress: called as progress(done, total) after each image.

    Returns:
        `Bands`. The `value_range` of floats is (0, 1) until `Moments.bands` says what it is.
    """
    found = collections.Counter()
    for pixels in in_parallel(_look, paths, progress, len(paths)):
        if pixels is not None:
            own = pixels.channels - pixels.alpha
            found[3 if own == 1 and pixels.bits == 8 else own, pixels.bits] += 1
    if not found:
        return RGB if channels is None else Bands(channels)
    ((most, bits), _), *_ = found.most_common(1)
    return Bands(channels or most, _RANGES[bits])


def _look(path):
    try:
        with reading(path), opened(path) as file:
            return pixel_files.look(file, path)
    except TfsegError:
        return None


@dataclasses.dataclass
class Moments:
    """Sums over the pixels of images.

    Attributes:
        array: float64 [5, channels]: how many pixels, the sums of their values and of the squares,
            the lowest value and the highest.
    """

    array: np.ndarray

    @classmethod
    def of(cls, image):
        """Those of an image [H, W, channels]."""
        values = image.reshape(-1, image.shape[2]).astype(np.float64)
        count = np.full(values.shape[1], len(values))
        return cls(
            np.stack([count, values.sum(0), (values**2).sum(0), values.min(0), values.max(0)])
        )

    def __add__(self, other):
        one, two = self.array, other.array
        lowest, highest = np.minimum(one[3], two[3]), np.maximum(one[4], two[4])
        return Moments(np.stack([*(one[:3] + two[:3]), lowest, highest]))

    def bands(self, bands):
        """`bands`, with the measured `value_range` where the images are floats without one."""
        low, high = float(self.array[3].min()), float(self.array[4].max())
        if bands.value_range != _RANGES[32] or 0 <= low <= high <= 1:
            return bands
        # 0..255 would be taken for 8 bits; and something has to lie between.
        high += 1 if low == high or (low, high) == _RANGES[8] else 0
        return dataclasses.replace(bands, value_range=(low, high))

    def mean_and_std(self, bands):
        """Two tuples of a number for each channel, as fractions of `value_range`."""
        low, high = bands.value_range
        count, total, squares, *_ = self.array
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0)
        # A band that is the same everywhere is left as it is.
        std = np.where(variance > 0, np.sqrt(variance), high - low)
        return (
            tuple(map(float, np.clip((mean - low) / (high - low), 0, 1))),
            tuple(map(float, np.clip(std / (high - low), 1e-9, 1))),
        )
