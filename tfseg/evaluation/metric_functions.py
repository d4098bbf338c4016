"""The metrics of `tfseg.evaluation.metrics`, as functions of sums over images.

Each takes the sums of its measure, float or integer [..., *shape], and "skip", "truth" or "zero"
for absent classes, and returns float64 [...] or [..., classes], nan where nothing can be said.
"""

import warnings

import numpy as np


def _ratio(numerator, denominator):
    """The quotient, nan where nothing was counted."""
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


def _mean(values, absent_classes="skip"):
    """The mean over the last axis: of what there is, or of all with zeros for the rest."""
    if absent_classes == "zero":
        empty = np.isnan(values).all(-1)
        return np.where(empty, np.nan, np.nan_to_num(values).mean(-1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing but nan: the mean is nan
        return np.nanmean(values, -1)


def _parts(sums):
    """(right, true, predicted), [..., C] each."""
    sums = np.asarray(sums)
    return sums[..., 0, :], sums[..., 1, :], sums[..., 2, :]


def _mean_of_classes(values, counts, absent_classes):
    if absent_classes == "truth":
        values = np.where(_parts(counts)[1] > 0, values, np.nan)
    return _mean(values, absent_classes)


def iou(counts, absent_classes="skip"):
    right, true, predicted = _parts(counts)
    return _ratio(right, true + predicted - right)


def accuracy(counts, absent_classes="skip"):
    right, true, _ = _parts(counts)
    return _ratio(right, true)


def precision(counts, absent_classes="skip"):
    right, _, predicted = _parts(counts)
    return _ratio(right, predicted)


def f1(counts, absent_classes="skip"):
    right, true, predicted = _parts(counts)
    return _ratio(2 * right, true + predicted)


def mean_iou(counts, absent_classes="skip"):
    return _mean_of_classes(iou(counts), counts, absent_classes)


def mean_accuracy(counts, absent_classes="skip"):
    return _mean(accuracy(counts), absent_classes)


def mean_f1(counts, absent_classes="skip"):
    return _mean_of_classes(f1(counts), counts, absent_classes)


def pixel_accuracy(counts, absent_classes="skip"):
    right, true, _ = _parts(counts)
    return _ratio(right.sum(-1), true.sum(-1))


def micro_iou(counts, absent_classes="skip"):
    right, true, predicted = _parts(counts)
    return _ratio(right.sum(-1), (true + predicted - right).sum(-1))


def frequency_weighted_iou(counts, absent_classes="skip"):
    true = _parts(counts)[1]
    return _ratio((true * np.nan_to_num(iou(counts))).sum(-1), true.sum(-1))


def overall_score(counts, absent_classes="skip"):
    return (mean_iou(counts, absent_classes) + pixel_accuracy(counts)) / 2


def mean_iou_per_image(image, absent_classes="skip"):
    image = np.asarray(image)
    return _ratio(image[..., 0], image[..., 1])


boundary_iou = category_iou = iou
mean_boundary_iou = mean_iou


def mean_category_iou(counts, absent_classes="skip"):
    return _mean(iou(counts))


def boundary_f(contours, absent_classes="skip"):
    contours = np.asarray(contours)
    return _ratio(contours[..., 0, :], contours[..., 1, :])


def mean_boundary_f(contours, absent_classes="skip"):
    return _mean(boundary_f(contours), absent_classes)


def trimap_iou(trimap, absent_classes="skip"):
    return mean_iou(trimap, absent_classes)


def expected_calibration_error(calibration, absent_classes="skip"):
    number, confidence, right = _parts(calibration)
    return _ratio(np.abs(right - confidence).sum(-1), number.sum(-1))


def reliability(calibration, absent_classes="skip"):
    number, _, right = _parts(calibration)
    return _ratio(right, number)
