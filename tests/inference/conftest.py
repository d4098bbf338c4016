"""The protocols of the original codes, and this project's own, written out in NumPy and Pillow."""

import types

import numpy as np
import pytest
from PIL import Image

CLASSES = 7  # of scores


def log_softmax(logits):
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def softmax(logits):
    return np.exp(log_softmax(logits))


def bilinear(maps, size, scale=None):
    """Half-pixel bilinear of [h, w, C], not smoothed; by exactly `scale`, if that is given."""
    for axis, target in enumerate(size):
        source = maps.shape[axis]
        places = (np.arange(target) + 0.5) / (scale or target / source) - 0.5
        places = np.clip(places, 0, source - 1)
        before = np.floor(places).astype(int)
        share = (places - before).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        ends = [np.take(maps, np.minimum(before + i, source - 1), axis) for i in (0, 1)]
        maps = ends[0] + (ends[1] - ends[0]) * share
    return maps


def transposed(logits, factor=8):
    """DRN's last layer: a transposed convolution by a fixed kernel, stride 8, padding 4."""
    ramp = 1 - np.abs(np.arange(2 * factor) / factor - (2 * factor - 1) / (2 * factor))
    height, width, channels = logits.shape
    out = np.zeros(((height + 1) * factor, (width + 1) * factor, channels))
    for y in range(height):
        for x in range(width):
            patch = np.outer(ramp, ramp)[..., None] * logits[y, x]
            out[y * factor : (y + 2) * factor, x * factor : (x + 2) * factor] += patch
    half = factor // 2
    return out[half:-half, half:-half]


def pillow_planes(maps, size, kernel="BILINEAR"):
    """Pillow's resizing of each plane of [h, w, C] in floats: smoothed for reduction."""
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(maps, 2, 0)]
    planes = [plane.resize(size[::-1], Image.Resampling[kernel]) for plane in planes]
    return np.stack([np.asarray(plane) for plane in planes], -1)


def drn_original(network, image, opencv):
    """Log-probabilities of six sizes, added up; each map is resized as it is."""
    height, width = image.shape[:2]
    total = 0
    for scale in (1, 0.5, 0.75, 1.25, 1.5, 1.75):
        size = int(width * scale), int(height * scale)
        view = image
        if scale != 1:
            view = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        scores = log_softmax(transposed(network(view)))
        total = total + pillow_planes(scores, (height, width))
    return softmax(total / 6)  # of the mean, which has its maximum where the sum has


def ade20k_original(network, image, opencv, short_sides=(300, 375, 450, 525, 600)):
    """Mean of the probabilities of five sizes, from the network's map to the image at once."""
    size = image.shape[:2]
    total = 0
    for short_side in short_sides:
        scale = min(short_side / min(size), 1000 / max(size))
        view = opencv(image, [(int(side * scale) - 1) // 8 * 8 + 8 for side in size])
        total = total + softmax(bilinear(network(view), size)) / len(short_sides)
    return total


def deeplab_v2_original(network, image, opencv, mean=(122.675, 116.669, 104.008)):
    """Maximum of the logits over three sizes of the image, at the first map's size."""
    levels = image - np.array(mean)
    maps = [network(image)]
    for scale in (0.75, 0.5):
        size = [int(side * scale) for side in image.shape[:2]]
        view = bilinear(levels, size, scale) + np.array(mean)
        maps.append(bilinear(network(view), maps[0].shape[:2]))
    return softmax(bilinear(np.max(maps, 0), image.shape[:2]))


def drn(network, image, opencv):
    """As drn_original, but views are made in floats, and of each map what lies beyond the view is
    cut off before it is resized, without smoothing."""
    size, total = image.shape[:2], 0
    for scale in (1, 0.5, 0.75, 1.25, 1.5, 1.75):
        height, width = (int(side * scale) for side in size)
        view = image if scale == 1 else pillow_planes(image, (height, width), "BICUBIC")
        total = total + bilinear(log_softmax(transposed(network(view))[:height, :width]), size)
    return softmax(total / 6)


def ade20k(network, image, opencv, **arguments):
    """As ade20k_original, but views are made in floats and smoothed for reduction."""
    return ade20k_original(network, image, pillow_planes, **arguments)


def deeplab_v2(network, image, opencv):
    """Maximum of the logits over three sizes of the image, smoothed for reduction, at its size."""
    size, maps = image.shape[:2], []
    for scale in (0.5, 0.75, 1):
        view = pillow_planes(image, [int(side * scale) for side in size])
        maps.append(bilinear(network(view), size))
    return softmax(np.max(maps, 0))


def scores(pairs, absent):
    """What a code reports of [(truth, labels)], 255 ignored; `absent` says which classes its mean
    leaves out: those that occur nowhere ("skip"), those that the truth lacks, or none ("zero")."""
    matrix = np.zeros((CLASSES, CLASSES), int)
    for truth, labels in pairs:
        counted = truth < CLASSES
        np.add.at(matrix, (truth[counted], labels[counted]), 1)
    hits, rows, union = matrix.diagonal(), matrix.sum(1), matrix.sum(0) + matrix.sum(1)
    union = union - hits
    iou = hits / np.maximum(union, 1)
    used = {"skip": union > 0, "truth": rows > 0, "zero": np.full(CLASSES, True)}[absent]
    return {
        "mean_iou": iou[used].mean(),
        "pixel_accuracy": hits.sum() / rows.sum(),
        "matrix": matrix,
    }


@pytest.fixture(scope="session")
def original_rules():
    """The functions of this file, by name; the rules take (network, image [H, W, 3] in levels,
    OpenCV's resizing) and give each pixel's probabilities, where network is a function from an
    image in levels to logits [h, w, C]."""
    return types.SimpleNamespace(**globals())
