"""Class weights for the loss, from how often classes occur."""

import numpy as np

RULES = ("median_frequency", "effective_number", "square_root")


def class_weights(counts, beta=0.999):
    """Weights that let rare classes count more, by three rules.

    "median_frequency": the median of all classes' frequencies divided by the class's, where a
    frequency is the share of the class in the labelled pixels of those images that show it (Eigen
    and Fergus, "Predicting Depth, Surface Normals and Semantic Labels", ICCV 2015, section 6.2).

    "effective_number": (1 - beta) / (1 - beta^n), scaled to a mean of 1 (Cui et al., "Class-
    Balanced Loss Based on Effective Number of Samples", CVPR 2019, section 3). Neighbouring pixels
    are no independent samples, so n is measured in images: the class's pixels divided by the
    labelled pixels of a mean image.

    "square_root": the root of the median of all classes' shares of the labelled pixels divided by
    the class's, within 0.1 and 10: half as steep as the first on a logarithmic scale, so that the
    rarest class doesn't decide each update.

    Args:
        counts: integers [images, num_classes]: labelled pixels of each class in each image.
        beta: what the second rule saturates by: at about 1 / (1 - beta) images.

    Returns:
        {rule: list of num_classes floats}; a class without pixels has 0, as it never enters the
        loss.
    """
    counts = np.asarray(counts, np.float64)
    pixels = counts.sum(axis=0)
    shown = pixels > 0
    sizes = counts.sum(axis=1)
    median, effective, root = np.zeros((3, len(pixels)))
    where = (counts > 0).T @ sizes
    frequency = pixels[shown] / where[shown]
    median[shown] = np.median(frequency) / frequency
    images = pixels[shown] / sizes[sizes > 0].mean()
    values = (1 - beta) / (1 - beta**images)
    effective[shown] = values / values.mean()
    root[shown] = np.clip(np.sqrt(np.median(pixels[shown]) / pixels[shown]), 0.1, 10)
    weights = (median, effective, root)
    return {
        rule: [float(f"{x:.6g}") for x in row] for rule, row in zip(RULES, weights, strict=True)
    }
