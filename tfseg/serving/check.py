"""Whether an exported model still computes what the model computes."""

import numpy as np
from PIL import Image

from tfseg.errors import TfsegError
from tfseg.models.precisions import precision_of

# Rounding apart, an export is the same function. float32 carries seven digits; half precision
# carries three, and rounds after each layer.
TOLERANCES = {"float32": 1e-4, "float16": 0.1, "bfloat16": 0.1}
SIZES = ((65, 97), (96, 64), (33, 40))


def check(predictor, probabilities, labels, image_size=None, max_side=4096):
    """Compares an export with its source on drawn images of three sizes, or the one it takes.

    Args:
        predictor: the `Predictor` that was exported.
        probabilities: the export, from uint8 [1, H, W, 3] to float32 [1, H, W, C].
        labels: likewise, to integers [1, H, W].
        image_size: the (height, width) that the export takes; None for any.
        max_side: the largest of them.

    Returns:
        The largest difference between two probabilities.

    Raises:
        TfsegError: it is more than `TOLERANCES` allow, or pixels differ in their class where the
            model's two largest probabilities are further apart than that explains.
    """
    tolerance = TOLERANCES[precision_of(predictor.model)]
    worst = 0.0
    sizes = [image_size] if image_size else {tuple(np.minimum(s, max_side)) for s in SIZES}
    for seed, size in enumerate(sizes):
        image = drawn_image(size, seed)
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


def drawn_image(size, seed):
    """An image with edges, areas and noise: uint8 [H, W, 3]."""
    height, width = (int(x) for x in size)
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 7, 3), np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = generator.normal(0, 8, (height, width, 3))
    return np.clip(np.asarray(smooth) + noise, 0, 255).astype(np.uint8)
