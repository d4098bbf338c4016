import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data.pipelines.classification import (
    ClassifiedImages,
    RandomResizedCrop,
    central_crop,
    class_eval_dataset,
    class_train_dataset,
)


@pytest.fixture
def images(tmp_path):
    """Seven images of one grey each, 20 times their class."""
    paths = [str(tmp_path / f"{number}.png") for number in range(7)]
    for number, path in enumerate(paths):
        Image.new("RGB", (30, 20 + number), (20 * number,) * 3).save(path)
    names = [f"{number}.png" for number in range(7)]
    return ClassifiedImages(str(tmp_path), paths, None, names, targets=list(range(7)))


def take(images, identity, count, **options):
    options = {"batch_size": 2, "seed": 1, **options}
    crop = RandomResizedCrop((16, 16), color_jitter=0)
    dataset = class_train_dataset(images, crop, identity, **options)
    return list(dataset.take(count).as_numpy_iterator())


def test_every_image_once_an_epoch_with_its_class(images, identity):
    batches = take(images, identity, 7)
    targets = np.concatenate([batch[1] for batch in batches])
    assert sorted(targets[:7]) == sorted(targets[7:]) == list(range(7))
    for pictures, classes in batches:
        for picture, target in zip(pictures, classes, strict=True):
            np.testing.assert_allclose(picture, 20 * target, atol=1e-3)


def test_samples_depend_on_their_number_alone(images, identity):
    whole = take(images, identity, 6)
    later = take(images, identity, 3, first_sample=6)
    for (a, b), (c, d) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    dealt = [take(images, identity, 6, batch_size=1, block=(k, 2, 2)) for k in range(2)]
    for step, (_, classes) in enumerate(whole):
        assert [one[step][1][0] for one in dealt] == classes.tolist()


def test_crops_have_the_papers_areas_and_ratios():
    image = np.zeros((90, 120, 3), np.uint8)
    image[..., 0] = np.arange(90)[:, None]
    image[..., 1] = np.arange(120)
    crop = RandomResizedCrop((64, 64), color_jitter=0)
    shares, ratios = [], []
    for number in range(300):
        part = crop(tf.constant(image), tf.constant([5, number], tf.int64)).numpy()
        height, width = np.ptp(part[..., 0]) + 1, np.ptp(part[..., 1]) + 1
        shares.append(height * width / image[..., 0].size)
        ratios.append(width / height)
    assert 0.05 < min(shares) < 0.15 and 0.85 < max(shares) < 1.01
    assert 0.68 < min(ratios) < 0.8 and 1.25 < max(ratios) < 1.45


def test_extreme_images_get_their_centre():
    image = np.zeros((8, 400, 3), np.uint8)
    image[:, 190:210] = 200
    part = RandomResizedCrop((16, 16), 0)(tf.constant(image), tf.constant([0, 0], tf.int64))
    assert part.shape == (16, 16, 3) and np.mean(part) > 150


def test_jitter_stays_in_range_and_changes_colours():
    image = tf.constant(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    key = tf.constant([1, 2], tf.int64)
    plain, jittered = (RandomResizedCrop((32, 32), share)(image, key) for share in (0, 0.4))
    assert np.min(jittered) >= 0 and np.max(jittered) <= 255
    assert np.abs(plain - jittered).mean() > 3


def test_central_crop_and_evaluation(images, identity):
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:40] = 255
    np.testing.assert_array_equal(central_crop(image, 40, (20, 20)), 255)
    assert central_crop(image, 20, (10, 16)).shape == (10, 16, 3)
    batches = list(class_eval_dataset(images, 20, (16, 16), identity, 3).as_numpy_iterator())
    assert [len(batch[1]) for batch in batches] == [3, 3, 1]
    assert np.concatenate([batch[1] for batch in batches]).tolist() == list(range(7))
