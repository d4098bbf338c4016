"""Models by name: the published ones, and every encoder with every decoder."""

from tfseg.models.classifier import Classifier
from tfseg.models.parts import classifier_parts, segmenter_parts
from tfseg.models.segmenter import Segmenter


def create_model(name, num_classes, **options):
    """A segmenter with fresh weights.

    Args:
        name: a published name such as "drn_d_22", or "encoder+decoder".
        num_classes: how many classes, 1..256.
        **options: see `create_encoder`; decoders add their own (`atrous_rates`, `dropout`).
            `aux_loss_weight`: weight of the auxiliary output in the loss, for decoders that have
            one (0.4). `multi_scale`: scales at which one network looks at the image, such as
            (1, 0.75, 0.5).

    Returns:
        A `Segmenter`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    return Segmenter(**segmenter_parts(name, num_classes, options))


def create_classifier(name, num_classes=1000, **options):
    """An image classifier with fresh weights.

    Args:
        name: an encoder's name, such as "drn_d_22".
        num_classes: how many classes, at least 1.
        **options: see `create_encoder`.

    Returns:
        A `Classifier`.

    Raises:
        TfsegError: unknown name or option, or a bad value.
    """
    return Classifier(**classifier_parts(name, num_classes, options))
