"""Transforms: each for itself, and in chains on crops, whole images and classifiers' images."""

import numpy as np
import pytest
import tensorflow as tf

from tfseg.data import (
    TRANSFORMS,
    Augmentation,
    NaturalShapes,
    read_split,
    train_dataset,
    write_sample_dataset,
)
from tfseg.data.augment import load_transforms, parse_transforms
from tfseg.data.augment.chain import Chain, mean_colour
from tfseg.data.image_files import read_image
from tfseg.data.pipelines.classification import (
    ClassifiedImages,
    RandomResizedCrop,
    class_train_dataset,
)
from tfseg.data.pipelines.transforms import random_matrix
from tfseg.data.pipelines.warp import warp
from tfseg.errors import TfsegError
from tfseg.models import PREPROCESSINGS, Preprocessing

KEEPING = [name for name, row in TRANSFORMS.items() if row.keeps_geometry]
ALL = ",".join(f"{name}:0.5" for name in TRANSFORMS)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    write_sample_dataset(folder, train=5, val=1, size=(40, 56))
    return read_split(folder, "train")


@pytest.fixture
def picture():
    return np.random.default_rng(0).uniform(0, 255, (24, 30, 3)).astype(np.float32)


def samples(images, count, augmentation=None, **settings):
    settings = {"num_classes": 7, "batch_size": 1, "seed": 3, **settings}
    augmentation = augmentation or Augmentation((32, 32), (0.5, 1.5), 20)
    dataset = train_dataset(images, augmentation, Preprocessing(), **settings)
    return [(image.numpy(), label.numpy()) for image, label in dataset.take(count)]


def apply(text, picture, number=0, label=0):
    _, function = load_transforms(text)[0]
    image, label = function(tf.constant(picture), label, tf.constant([7, number], tf.int64))
    return image.numpy()


@pytest.mark.parametrize("name", KEEPING)
def test_transforms_of_colours(name, picture):
    """They change the colours, within their range, and follow from their key alone."""
    label = object()
    _, function = load_transforms(f"{name}:1")[0]
    results = []
    for number in (1, 1, 2):
        image, same = function(tf.constant(picture), label, tf.constant([7, number], tf.int64))
        assert same is label and image.shape == picture.shape and image.dtype == tf.float32
        results.append(image.numpy())
    np.testing.assert_array_equal(results[0], results[1])
    for result in results:
        assert np.abs(result - picture).max() > 0.01 and result.min() >= -1e-3
        assert result.max() <= 255.001
    assert name == "grey" or np.abs(results[0] - results[2]).max() > 0.01


@pytest.mark.parametrize("name", ["grey", "blur", "erase"])
def test_strength_is_a_share_of_the_images(name, picture):
    changed = [np.any(apply(f"{name}:0.3", picture, n) != picture) for n in range(100)]
    assert 15 <= sum(changed) <= 45


def test_grey(picture):
    expected = picture @ np.array([0.299, 0.587, 0.114])
    for channel in np.moveaxis(apply("grey:1", picture), -1, 0):
        np.testing.assert_allclose(channel, expected, rtol=1e-5)


def test_blur_keeps_flat_images_up_to_their_edges():
    flat = np.full((20, 20, 3), 77, np.float32)
    np.testing.assert_allclose(apply("blur:1", flat), flat, rtol=1e-5)
    spot = np.zeros((21, 21, 3), np.float32)
    spot[10, 10] = 255
    for number in range(5):
        smooth = apply("blur:1", spot, number)[..., 0]
        assert smooth.sum() == pytest.approx(255, rel=1e-4) and smooth.argmax() == 10 * 21 + 10
        np.testing.assert_allclose(smooth, smooth.T[::-1, ::-1], atol=1e-4)


def test_gamma_lightens_and_darkens_and_keeps_the_ends():
    steps = np.linspace(0, 255, 6, dtype=np.float32).repeat(3).reshape(1, 6, 3)
    found = np.array([apply("gamma:0.5", steps, number)[0, :, 0] for number in range(40)])
    assert (np.abs(found[:, [0, -1]] - [0, 255]) < 1e-3).all() and (np.diff(found) > 0).all()
    powers = np.log(found[:, 1:-1] / 255) / np.log([0.2, 0.4, 0.6, 0.8])
    assert np.ptp(powers, axis=1).max() < 1e-3
    assert np.exp(-0.5) <= powers.min() < 0.8 < 1.25 < powers.max() <= np.exp(0.5)


def test_noise_is_as_strong_as_told():
    flat = np.full((64, 64, 3), 128, np.float32)
    deviations = [apply("noise:20", flat, n).std() for n in range(60)]
    assert max(deviations) < 20.5 and np.mean(deviations) == pytest.approx(10, abs=2.5)


def test_erased_rectangles(picture):
    shares = []
    for number in range(60):
        changed = np.any(apply("erase:1", picture, number) != picture, -1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        shares.append(changed.mean())
    assert min(shares) > 0.005 and max(shares) < 0.27 and np.std(shares) > 0.02


def test_a_transform_does_not_depend_on_the_others(images):
    """Erased pixels are those that they are without grey before."""
    chains = ("", "erase:1", "grey:1,erase:1")
    plain, erased, both = (samples(images, 4, transforms=text) for text in chains)
    for (image, _), (one, _), (other, _) in zip(plain, erased, both, strict=True):
        inside = np.abs(one - image).max(-1) > 1e-3
        np.testing.assert_allclose(other[inside], one[inside], atol=1e-5)


@pytest.mark.parametrize("transforms", [pytest.param("", marks=pytest.mark.slow), ALL])
def test_workers_and_batches_make_the_same_samples(images, transforms):
    whole = samples(images, 8, transforms=transforms)
    in_fours = samples(images, 1, transforms=transforms, batch_size=4, first_sample=4)
    workers = [
        samples(images, 4, transforms=transforms, block=(worker, 2, 4)) for worker in range(2)
    ]
    dealt = [*workers[0][:2], *workers[1][:2], *workers[0][2:], *workers[1][2:]]
    for place in (0, 1):
        expected = np.concatenate([sample[place] for sample in whole])
        np.testing.assert_array_equal(in_fours[0][place], expected[4:])
        np.testing.assert_array_equal(np.concatenate([s[place] for s in dealt]), expected)


@pytest.mark.parametrize("augmentation", [None, NaturalShapes((24, 40), 60, 16)])
@pytest.mark.parametrize("transforms", [",".join(KEEPING), "color_jitter"])
def test_labels_and_padding_stay(images, augmentation, transforms):
    plain = samples(images, 6, augmentation)
    other = samples(images, 6, augmentation, transforms=transforms)
    for (image, label), (changed, same) in zip(plain, other, strict=True):
        np.testing.assert_array_equal(label, same)
        padding = np.all(image == 0, -1)
        assert not changed[padding].any()
        assert np.abs(changed - image).max() > 0.01
    assert any(np.all(image == 0, -1).any() for image, _ in plain)


def test_chains_that_change_nothing_give_the_plain_samples(images):
    plain = samples(images, 6)
    other = samples(images, 6, transforms="noise:1e-9")
    for (image, label), (same, same_label) in zip(plain, other, strict=True):
        np.testing.assert_allclose(same, image, atol=1e-4)
        np.testing.assert_array_equal(same_label, label)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_the_mean_colour_normalises_to_zero(name):
    preprocessing = PREPROCESSINGS[name]
    np.testing.assert_allclose(preprocessing.normalize(mean_colour(preprocessing)), 0, atol=1e-4)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_samples_are_normalised_as_all_images_are(name, picture):
    preprocessing = PREPROCESSINGS[name]

    def show(index, key, normalize):
        return normalize(tf.constant(picture)), 0, tf.zeros([0, 0, 1])

    image, _ = Chain("", preprocessing, show, 1)(0, tf.constant([0, 0], tf.int64))
    np.testing.assert_array_equal(image, preprocessing.normalize(picture))


def test_cutmix_shows_each_pixel_of_one_of_two_samples(images):
    """The partner is any image of the list, cut in a way of its own."""
    augmentation = Augmentation((32, 32))
    plain, mixed = (
        samples(images, 30, augmentation),
        samples(images, 30, augmentation, transforms="cutmix:1"),
    )
    partners = set()
    for (image, label), (other, other_label) in zip(plain, mixed, strict=True):
        changed = np.abs(other[0] - image[0]).max(-1) > 1e-3
        np.testing.assert_array_equal(label[0][~changed], other_label[0][~changed])
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if len(rows) < 6 or len(columns) < 6:
            continue
        box = other[0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        for number, path in enumerate(images.images):
            pixels = Preprocessing().normalize(read_image(path).astype(np.float32))
            partners |= {number} if _contains(pixels, box) else set()
    assert partners == set(range(5))


def _contains(image, box):
    """Whether a part of an image, mirrored or not, is this box."""
    height, width = box.shape[:2]
    for shown in (image, image[:, ::-1]):
        views = np.lib.stride_tricks.sliding_window_view(shown, (height, width), axis=(0, 1))
        if (np.abs(views - np.moveaxis(box, -1, 0)).max((-3, -2, -1)) < 1e-3).any():
            return True
    return False


def test_images_of_classifiers(images):
    targets = list(range(len(images)))
    folder = ClassifiedImages(images.root, images.images, None, images.names, targets=targets)

    def pairs(transforms, batch_size=1):
        crop = RandomResizedCrop((24, 24), color_jitter=0)
        settings = {"batch_size": batch_size, "seed": 0, "transforms": transforms}
        dataset = class_train_dataset(folder, crop, Preprocessing(), **settings)
        found = [(image.numpy(), label.numpy()) for image, label in dataset.take(4 // batch_size)]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    plain, one, four = pairs(""), pairs("grey:1,erase:1"), pairs("grey:1,erase:1", 4)
    for place in (0, 1):
        np.testing.assert_array_equal(one[place], four[place])
    np.testing.assert_array_equal(one[1], plain[1])
    assert np.abs(one[0] - plain[0]).max() > 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blurr", "unknown transform 'blurr'; did you mean blur"),
        ("blur,blur", "the transform blur comes twice"),
        ("blur:2", "the number of blur must be above 0 and at most 1, not 2"),
        ("noise:0", "the number of noise must be above 0 and at most 255, not 0"),
        ("grey:x", "the transform grey takes a number, not 'x'"),
    ],
)
def test_wrong_transforms(text, message):
    with pytest.raises(TfsegError, match=message):
        parse_transforms(text)


def dim(image, label, key, strength):
    return image * strength, label


def without_labels(image, label, key):
    return image


def smaller(image, label, key):
    return image[:5], label


def in_bytes(image, label, key):
    return tf.cast(image, tf.uint8), label


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ([dim], "dim is called with image, label, key: missing a required argument: 'strength'"),
        ([(smaller, 0.5)], "called with image, label, key, strength: got an unexpected keyword"),
        ([without_labels], r"without_labels must return an image \(float32 .* and its labels, not"),
        ([smaller], r"smaller must return an image \(float32 \(32, 32, 3\)\) and its labels, not"),
        ([in_bytes], "in_bytes must return an image .float32"),
    ],
)
def test_functions_of_users_that_are_no_transforms(images, transforms, message):
    with pytest.raises(TfsegError, match=message) as error:
        samples(images, 1, transforms=transforms)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.9, 1.6)])
@pytest.mark.parametrize("rotate", [0.0, 30.0])
def test_crops_centred_on_a_class(scale, rotate):
    """Class 2 is a spot amid the image, 3 another at its corner, 1 is not to be drawn."""
    label = np.zeros((80, 100), np.uint8)
    label[40:44, 50:54], label[:3, :3], label[10:14, 70:74] = 2, 3, 1
    odds = (0.0, 0.0, 1.0, 1.0)
    augmentation = Augmentation((33, 41), scale, rotate, class_crops=1.0, class_odds=odds)
    image = tf.zeros((80, 100, 3), tf.uint8)

    @tf.function
    def crop(number):
        matrix = random_matrix(tf.shape(label), augmentation, tf.stack([1, number]), label)
        return warp(image, tf.constant(label), matrix, (33, 41), lambda x: x, 255)[1], matrix

    centred = cornered = 0
    for number in range(40):
        shown, matrix = (value.numpy() for value in crop(tf.constant(number, tf.int64)))
        x, y = matrix @ [20, 16, 1]
        assert -0.5 <= x <= 99.5 and -0.5 <= y <= 79.5
        centred += shown[16, 20] == 2
        cornered += bool(np.any(shown == 3)) and shown[16, 20] != 2
    # A corner turns out of the image, and then out of the crops.
    assert centred >= 10 and (rotate or cornered >= 10)


def test_a_share_of_crops_on_classes_leaves_the_others_as_they_are():
    label = np.zeros((60, 60), np.uint8)
    label[30, 30] = 1
    plain = Augmentation((20, 20))
    some = Augmentation((20, 20), class_crops=0.5, class_odds=(0, 1))
    none = Augmentation((20, 20), class_crops=1.0, class_odds=(0, 0, 1))
    same = 0
    for number in range(60):
        matrices = [
            random_matrix([60, 60], a, tf.constant([1, number], tf.int64), label).numpy()
            for a in (plain, some, none)
        ]
        same += np.array_equal(*matrices[:2])
        # Nothing to be drawn is in the image.
        np.testing.assert_array_equal(matrices[0], matrices[2])
    assert 18 <= same <= 42
