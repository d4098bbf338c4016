"""Writes opencv_bilinear.npz: the images of tests/data/test_level_resizing.py, resized by OpenCV.

    pip install opencv-python-headless==4.11.0.86
    python tests/golden/opencv_bilinear.py tests/golden/opencv_bilinear.npz

It needs nothing of this project.
"""

import sys

import cv2
import numpy as np

SIZES = [  # of the image, and what it is resized to
    ((37, 53), (74, 106)),
    ((64, 48), (32, 24)),
    ((40, 60), (13, 97)),
    ((5, 7), (90, 3)),
    ((1, 1), (4, 6)),
    ((30, 30), (30, 30)),
]


def draw(size):
    """Noise, half of it black and white, whose cubic overshoots."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image[: size[0] // 2] = np.where(image[: size[0] // 2] > 127, 255, 0)
    return image


if __name__ == "__main__":
    resized = [
        cv2.resize(draw(source), target[::-1], interpolation=cv2.INTER_LINEAR)
        for source, target in SIZES
    ]
    np.savez_compressed(sys.argv[1], *resized)
