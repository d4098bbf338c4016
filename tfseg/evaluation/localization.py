"""Where a classifier sees what it names: class activation maps, boxes, and their error.

Dilated Residual Networks, section 3: a network without pooling before its classifier scores the
classes at every position, at the resolution of its features (28x28 for an input of 224x224), and
was never shown a box.
"""

import csv

import numpy as np
from PIL import Image, ImageDraw

from tfseg.errors import TfsegError
from tfseg.files import open_file
from tfseg.visualize import heat


class Localizer:
    """Names what an image shows, and where.

    Args:
        model: a `Classifier`.
        preprocessing: its `Preprocessing`.
        resize: length in pixels that the short side gets; None keeps the image's size.
    """

    def __init__(self, model, preprocessing, resize=224):
        self.model, self.preprocessing, self.resize = model, preprocessing, resize

    def __call__(self, image):
        """The scores of an image and the activation maps that they are the mean of.

        Args:
            image: uint8 RGB [H, W, 3].

        Returns:
            probabilities float32 [num_classes], maps float32 [h, w, num_classes].
        """
        if self.resize:
            height, width = image.shape[:2]
            factor = self.resize / min(height, width)
            size = (max(1, round(width * factor)), max(1, round(height * factor)))
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        batch = self.preprocessing.normalize(image[None])
        maps = np.asarray(self.model.activation_maps(batch))[0]
        logits = maps.mean(axis=(0, 1))
        scores = np.exp(logits - logits.max())
        return scores / scores.sum(), maps


def heat_overlay(image, activation, box=None, alpha=0.55):
    """The image under the colours of a class's activation, from black over red to white.

    Args:
        image: uint8 RGB [H, W, 3].
        activation: float [h, w].
        box: (left, top, right, bottom) to draw, or None.
        alpha: opacity of the colours, 0..1.

    Returns:
        uint8 [H, W, 3].
    """
    level = _resized(activation, image.shape[:2])
    colours = heat((level - level.min()) / max(np.ptp(level), 1e-12))
    mixed = Image.fromarray(np.rint(image * (1 - alpha) + colours * alpha).astype(np.uint8))
    if box is not None:
        left, top, right, bottom = (round(x) for x in box)
        width = max(2, min(mixed.size) // 150)
        shape = (left, top, max(left, right - 1), max(top, bottom - 1))
        ImageDraw.Draw(mixed).rectangle(shape, outline=(80, 255, 80), width=width)
    return np.asarray(mixed)


def activation_box(maps, index, threshold, size):
    """The smallest box around the positions where a class is the strongest, and strong enough.

    Args:
        maps: float [h, w, num_classes].
        index: the class.
        threshold: a share of the class's largest activation, 0..1.
        size: (height, width) of the image.

    Returns:
        (left, top, right, bottom) in pixels of the image. Where the class is nowhere the
        strongest, the positions that are strong enough count.
    """
    activation = maps[..., index]
    # Where all activations are negative, the largest is the smallest in size.
    largest = activation.max()
    strong = activation >= min(threshold * largest, largest)
    chosen = strong & (maps.argmax(axis=-1) == index)
    rows, columns = np.nonzero(chosen if chosen.any() else strong)
    height, width = size[0] / maps.shape[0], size[1] / maps.shape[1]
    return (
        float(columns.min() * width),
        float(rows.min() * height),
        float((columns.max() + 1) * width),
        float((rows.max() + 1) * height),
    )


def box_iou(one, other):
    """Intersection over union of two boxes (left, top, right, bottom), 0..1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared) if sum(areas) > shared else 0.0


def localized(guesses, truth, top=1):
    """Whether one of the first `top` guesses has the right class and a box that fits.

    Args:
        guesses: [(class name, box)], the most probable first.
        truth: [(class name, box)] of the image's objects.
        top: how many guesses count.

    Returns:
        Whether a guess has the class of an object, and an IoU with it of 0.5 or more.
    """
    return any(
        name == wanted and box_iou(box, place) >= 0.5
        for name, box in guesses[:top]
        for wanted, place in truth
    )


def read_boxes(path):
    """{image name: [(class name, (left, top, right, bottom))]} of a CSV file.

    Its columns are image, class, left, top, right and bottom, in pixels; an image may have several
    lines.

    Raises:
        TfsegError: the file can't be read, or a line is not like that.
    """
    boxes, number = {}, 1
    try:
        with open_file(path, "r", encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                number += 1
                place = tuple(float(row[key]) for key in ("left", "top", "right", "bottom"))
                boxes.setdefault(row["image"], []).append((row["class"], place))
    except OSError as error:
        raise TfsegError(f"can't read {path}: {error.strerror}") from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise TfsegError(
            f"{path}, line {number}: expected image,class,left,top,right,bottom: {error}"
        ) from error
    return boxes


def _resized(values, size):
    """Float [h, w] at (H, W), bilinear."""
    image = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))
