"""ImageNet weights of Keras Applications, which Keras downloads and checks itself."""

from typing import Any

from tfseg.encoders import ENCODERS
from tfseg.errors import TfsegError
from tfseg.models.preprocessing import PREPROCESSINGS
from tfseg.weights.assign import Report, weights_of
from tfseg.weights.layouts.layout import is_head

IMAGENET = "imagenet"


def load_imagenet(model: Any, new_head: bool) -> Report:
    """Sets the encoder of a model to its ImageNet weights.

    Args:
        model: a `Segmenter`, `Classifier` or encoder of an encoder out of Keras Applications.
        new_head: must be true where the model has a head: there are no weights for it.

    Returns:
        A `Report`, with the preprocessing that the weights expect.

    Raises:
        TfsegError: another encoder, a head without `new_head`, or the weights can't be had; the
            model is as before.
    """
    encoder = getattr(model, "encoder", model)
    row = ENCODERS.get(getattr(encoder, "variant", None))
    if row is None or not row.application:
        raise TfsegError(
            f"{IMAGENET} stands for the weights of Keras Applications' encoders; others have "
            "releases such as drn_d_22_imagenet"
        )
    fresh = [path for path in weights_of(model) if is_head(path)]
    if fresh and not new_head:
        raise TfsegError(f"{IMAGENET} has no weights for the head: `new_head=True` leaves it fresh")
    source = row.load()(**encoder.get_config(), weights=IMAGENET)
    pairs = zip(weights_of(source).values(), weights_of(encoder).values(), strict=True)
    for value, variable in pairs:
        variable.assign(value)
    loaded = {path: path for path in weights_of(model) if path not in fresh}
    preprocessing = PREPROCESSINGS[row.preprocessing]
    return Report("Keras Applications", loaded, {}, tuple(fresh), preprocessing)
