"""Whether an exported model still computes what the model computes."""

import numpy as np
from PIL import Image

from tfseg.bands import RGB
from tfseg.errors import TfsegError
from tfseg.models.precisions import precision_of

# Rounding apart, an export is the same function. float32 carries seven digits; half precision
# carries three, and rounds after each layer.
TOLERANCES = {"float32": 1e-4, "float16": 0.1, "bfloat16": 0.1}
# Rounding of logits, as a share of the largest of them: some 64 times that of one operation, since
# a network is so many in a row.
_SHARE = 64 * float(np.finfo(np.float32).eps)
SIZES = ((65, 97), (96, 64), (33, 40))


def check(predictor, probabilities, labels, image_size=None, max_side=4096):
    """Compares an export with its source on drawn images of three sizes, or the one it takes.

    Args:
        predictor: the `Predictor` that was exported.
        probabilities: the export, from images [1, H, W, channels] to float32 [1, H, W, C].
        labels: likewise, to integers [1, H, W].
        image_size: the (height, width) that the export takes; None for any.
        max_side: the largest of them.

    Returns:
        The largest difference between two probabilities.

    Raises:
        TfsegError: it is more than rounding explains (`TOLERANCES`, or what float32 makes of logits
            as large as the model's), or pixels differ in their class where the
            model's two largest probabilities are further apart than that explains.
    """
    worst = 0.0
    sizes = [image_size] if image_size else {tuple(np.minimum(s, max_side)) for s in SIZES}
    for seed, size in enumerate(sizes):
        image = drawn_image(size, seed, predictor.bands)
        tolerance = _tolerance(predictor, image)
        expected = predictor.probabilities(image)
        actual = probabilities(image[None])[0]
        difference = float(np.abs(actual - expected).max())
        if not difference <= tolerance:
            raise TfsegError(
                f"the export differs from the model by {difference:.2g} in a probability for an "
                f"image of {size[1]}x{size[0]}; at most {tolerance:g} is rounding"
            )
        chosen = np.take_along_axis(
            expected, labels(image[None])[0].astype(np.int64)[..., None], -1
        )
        if (expected.max(-1) - chosen[..., 0] > 2 * tolerance).any():
            raise TfsegError(
                f"the export chooses other classes than the model for an image of "
                f"{size[1]}x{size[0]}"
            )
        worst = max(worst, difference)
    return worst


def _tolerance(predictor, image):
    """How far probabilities of one image may be apart.

    A probability's derivative by its logit is p (1 - p), 1/4 at most; its own logit and another's
    may both be off.
    """
    tolerance = TOLERANCES[precision_of(predictor.model)]
    images = predictor.spec.preprocessing.normalize(image[None])
    largest = float(np.abs(np.asarray(predictor.model(images, training=False)["logits"])).max())
    return max(tolerance, _SHARE * largest / 2) if np.isfinite(largest) else tolerance


def drawn_image(size, seed, bands=RGB):
    """An image with edges, areas and noise: [H, W, channels] of whole numbers that `bands` has."""
    height, width = (int(x) for x in size)
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 7, bands.channels), np.uint8)
    smooth = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))
        for plane in np.moveaxis(coarse, -1, 0)
    ]
    noise = generator.normal(0, 8, (height, width, bands.channels))
    levels = np.clip(np.stack(smooth, -1) + noise, 0, 255)
    if bands.in_levels:
        return levels.astype(np.uint8)
    low, high = bands.value_range
    values = low + levels * ((high - low) / 255)
    return (np.rint(values) if high - low > 255 else values).astype(np.float32)
