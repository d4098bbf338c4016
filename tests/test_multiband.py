"""What a network learns of a fourth band, and of the lower half of 16 bits, from folder to export.

    python -m pytest -m slow -s tests/test_multiband.py

prints the scores that docs/multiband.md states.
"""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg.data.pixel_files import npy_bytes
from tfseg.training import TrainConfig

SIDE, IMAGES, VAL = 64, 40, 8


def draw(seed):
    """Class indices [64, 64]: a ground and a rectangle of each other class, on a grid of 8."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for value in (1, 2):
        top, left = 8 * rng.integers(0, 5, 2)
        height, width = 8 * rng.integers(3, 6, 2)
        labels[top : top + height, left : left + width] = value
    return labels


def fourth_band(seed):
    """uint8 [64, 64, 4] that show the classes in the fourth band alone, and their labels."""
    rng, labels = np.random.default_rng([seed, 1]), draw(seed)
    image = rng.integers(0, 256, (SIDE, SIDE, 4))
    image[..., 3] = np.clip(60 * (labels + 1) + rng.normal(0, 20, labels.shape), 0, 255)
    return image.astype(np.uint8), labels


def low_bits(seed):
    """uint16 [64, 64, 1] with two classes 200 levels apart, both within one level of 8 bits.

    Which of them is the ground changes from image to image, so that neither place nor share tells
    it. A few rows above, which don't count, are brighter.
    """
    rng = np.random.default_rng([seed, 1])
    labels = np.minimum(draw(seed), 1) ^ rng.integers(0, 2, dtype=np.uint8)
    image = 117 * 256 + 8 + 200 * labels.astype(np.int64) + rng.integers(0, 40, labels.shape)
    image[:8] = rng.integers(30500, 31500, (8, SIDE))
    labels[:8] = 255
    return image.astype(np.uint16)[..., None], labels


def folder(root, make, change, encode, suffix):
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for seed in range(IMAGES + VAL):
        image, labels = make(seed)
        (root / "images" / f"{seed:03d}{suffix}").write_bytes(encode(change(image)))
        Image.fromarray(labels).save(root / "masks" / f"{seed:03d}.png")
    return str(root)


def png(image):
    return tf.io.encode_png(image).numpy()


def run(tmp_path, name, make, change, encode, suffix):
    """The run directory of a short training on drawn images, and its val mean IoU."""
    source = folder(tmp_path / name, make, change, encode, suffix)
    data_dir, run_dir = str(tmp_path / f"{name}_data"), str(tmp_path / f"{name}_run")
    tfseg.prepare(source=source, data_dir=data_dir, val_share=VAL / (IMAGES + VAL))
    config = TrainConfig(
        data_dir=data_dir,
        run_dir=run_dir,
        model="drn_d_22",
        model_options={"blocks": [1, 1, 1, 1, 0, 0, 0, 1]},
        crop_size=(SIDE, SIDE),
        batch_size=8,
        steps=120,
        optimizer="adamw",
        learning_rate=3e-3,
        ema_decay=0.9,
        strategy="one_device",
    )
    tfseg.train(config)
    score = tfseg.evaluate(run_dir, data_dir).values["scores"]["mean_iou"]
    print(f"{name}: {score:.3f}")
    return run_dir, data_dir, score


PAIRS = {
    "fourth_band": (
        (fourth_band, lambda image: image, npy_bytes, ".npy"),
        (fourth_band, lambda image: image[..., :3], png, ".png"),
    ),
    "low_bits": (
        (low_bits, lambda image: image, png, ".png"),
        (low_bits, lambda image: (image >> 8).astype(np.uint8), png, ".png"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_classes_that_are_in_what_would_be_lost(name, tmp_path):
    whole, cut = PAIRS[name]
    run_dir, data_dir, score = run(tmp_path, name, *whole)
    assert score >= 0.9
    assert run(tmp_path, f"{name}_cut", *cut)[-1] < 0.4
    # Files, arrays and the export say the same.
    predictor = tfseg.load(run_dir)
    path = str(tmp_path / "exported")
    found = tfseg.export(run_dir, path, data_dir=data_dir)
    assert found["equal_labels"] > 0.999 and found["mean_iou_exported"] >= 0.9
    make = whole[0]
    image, labels = make(0)
    predicted = predictor.predict(image)
    exported = tf.saved_model.load(path).signatures["serving_default"]
    assert exported.structured_input_signature[1]["images"].dtype == image.dtype
    same = exported(tf.constant(image[None]))["labels"][0].numpy() == predicted
    assert same.mean() > 0.999
    assert (predicted == labels)[labels != 255].mean() > 0.9
    output = str(tmp_path / "predictions")
    source = str(tmp_path / name / "images" / f"000{whole[-1]}")
    tfseg.predict(run_dir, [source], output, ["labels", "overlay", "panel"])
    written = np.asarray(Image.open(f"{output}/labels/000.png"))
    np.testing.assert_array_equal(written, predicted)
