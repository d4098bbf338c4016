import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data import Augmentation
from tfseg.data.pipelines.transforms import CropSampler, random_matrix
from tfseg.data.pipelines.warp import warp
from tfseg.errors import TfsegError

EVERYTHING = Augmentation((64, 80), scale_range=(0.5, 2.0), rotate=30, mirror=True)


def apply(image, label, augmentation, key):
    """Augmented image and label, where padding is zero and normalising changes nothing."""
    label = tf.constant(label)
    matrix = random_matrix(tf.shape(label), augmentation, tf.constant([0, key], tf.int64))
    size = augmentation.crop_size
    return warp(tf.constant(image), label, matrix, size, lambda x: x, 255)[:2]


def matrices(size, augmentation, count):
    make = tf.function(lambda key: random_matrix(size, augmentation, tf.stack([1, key])))
    return np.array([make(tf.constant(key)).numpy() for key in range(count)])


@pytest.fixture
def pair():
    """Blocks of 12x12 pixels whose colour tells their label: 20 * label + 10."""
    label = np.random.default_rng(0).integers(0, 5, (8, 10), np.uint8)
    label = label.repeat(12, 0).repeat(12, 1)
    return np.stack([20 * label + 10] * 3, -1), label


def test_crops_are_exact(pair):
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    label = np.arange(99, dtype=np.uint8).reshape(9, 11)
    offsets = set()
    for key in range(40):
        got_image, got_label = apply(image, label, Augmentation((6, 7), mirror=False), key)
        top, left = divmod(int(got_label[0, 0]), 11)
        offsets.add((top, left))
        np.testing.assert_array_equal(got_label, label[top : top + 6, left : left + 7])
        np.testing.assert_array_equal(got_image, image[top : top + 6, left : left + 7])
    assert {top for top, _ in offsets} == set(range(4))
    assert {left for _, left in offsets} == set(range(5))


def test_mirror_is_exact():
    image = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    label = np.arange(108, dtype=np.uint8).reshape(9, 12)
    seen = []
    for key in range(20):
        got_image, got_label = apply(image, label, Augmentation((9, 12)), key)
        mirrored = int(got_label[0, 0]) != 0
        step = -1 if mirrored else 1
        np.testing.assert_array_equal(got_label, label[:, ::step])
        np.testing.assert_array_equal(got_image, image[:, ::step])
        seen.append(mirrored)
    assert 4 <= sum(seen) <= 16


def test_double_size_keeps_pixel_centres():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    label = np.arange(48, dtype=np.uint8).reshape(6, 8)
    got_image, got_label = apply(image, label, Augmentation((12, 16), (2, 2), mirror=False), 0)
    np.testing.assert_array_equal(got_label, label.repeat(2, 0).repeat(2, 1))
    expected = tf.image.resize(image, (12, 16), "bilinear")
    np.testing.assert_allclose(got_image[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-4)


def test_half_size_keeps_pixel_centres():
    label = np.arange(48, dtype=np.uint8).reshape(6, 8)
    image = np.stack([label] * 3, -1)
    got_image, _ = apply(image, label, Augmentation((3, 4), (0.5, 0.5), mirror=False), 0)
    expected = label.reshape(3, 2, 4, 2).mean((1, 3))
    np.testing.assert_allclose(got_image[..., 0], expected, atol=1e-4)


def test_small_images_lie_whole_within_the_crop():
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = np.stack([label + 1] * 3, -1)
    corners = set()
    for key in range(60):
        got_image, got_label = apply(image, label, Augmentation((5, 6), mirror=False), key)
        inside = got_label.numpy() != 255
        assert inside.sum() == 12
        np.testing.assert_array_equal(got_label.numpy()[inside], label.ravel())
        np.testing.assert_array_equal(got_image.numpy()[..., 0], np.where(inside, got_label + 1, 0))
        corners.add(tuple(np.argwhere(inside)[0]))
    assert corners == {(top, left) for top in range(3) for left in range(3)}


def test_cover_is_what_is_shown_of_an_image_of_ones(pair):
    """Also where nothing but the image is shown."""
    ones, label = tf.ones_like(pair[0], tf.float32), tf.constant(pair[1])
    whole = 0
    for key in range(24):
        augmentation = Augmentation(40, (0.4, 2), 180) if key % 2 else EVERYTHING
        matrix = random_matrix(tf.shape(label), augmentation, tf.constant([0, key], tf.int64))
        shown, _, cover = warp(ones, label, matrix, augmentation.crop_size, lambda x: x, 255)
        cover = cover if tf.size(cover) else tf.ones_like(shown[..., :1])
        np.testing.assert_allclose(shown[..., :1], cover, atol=2e-3)
        whole += bool(tf.reduce_all(cover == 1))
    assert 2 < whole < 20


@pytest.mark.parametrize("key", range(12))
def test_image_and_label_stay_together(pair, key):
    image, label = apply(*pair, EVERYTHING, key)
    image, label = image.numpy()[..., 0], label.numpy()
    # Where all labels around a pixel agree, no other colour can have entered it.
    windows = np.lib.stride_tricks.sliding_window_view(label, (5, 5))
    flat = windows.min((2, 3)) == windows.max((2, 3))
    centre_label, centre_image = label[2:-2, 2:-2], image[2:-2, 2:-2]
    expected = np.where(centre_label == 255, 0.0, 20.0 * centre_label + 10)
    np.testing.assert_allclose(centre_image[flat], expected[flat], atol=1e-3)
    assert flat.mean() > 0.1


def test_labels_are_never_interpolated():
    label = np.random.default_rng(0).choice(np.array([0, 200, 255], np.uint8), (60, 70))
    image = np.zeros((60, 70, 3), np.uint8)
    for key in range(10):
        _, got = apply(image, label, EVERYTHING, key)
        assert set(np.unique(got)) <= {0, 200, 255}


def test_other_ignore_label(pair):
    augmentation = Augmentation(160, rotate=20)
    matrix = random_matrix(tf.shape(pair[1]), augmentation, [0, 0])
    _, label, _ = warp(*map(tf.constant, pair), matrix, (160, 160), lambda x: x, 77)
    assert set(np.unique(label)) == {0, 1, 2, 3, 4, 77}


def test_rotation_is_about_the_centre_by_all_angles():
    size = (40, 60)
    found = matrices(size, Augmentation(size, rotate=30, mirror=False), 300)
    centre = np.array([29.5, 19.5, 1])
    np.testing.assert_allclose(found @ centre, np.tile(centre[:2], (300, 1)), atol=1e-9)
    angles = np.degrees(np.arctan2(found[:, 1, 0], found[:, 0, 0]))
    assert -30 <= angles.min() < -27 and 27 < angles.max() <= 30
    assert abs(angles.mean()) < 3
    squares = found[:, :, :2] @ found[:, :, :2].transpose(0, 2, 1)
    np.testing.assert_allclose(squares, np.tile(np.eye(2), (300, 1, 1)), atol=1e-9)


def test_scales_fill_their_range():
    found = matrices((100, 200), Augmentation(50, scale_range=(0.5, 2.0), mirror=False), 300)
    scales = 1 / found[:, 0, 0]
    assert 0.5 <= scales.min() < 0.52 and 1.95 < scales.max() <= 2
    assert abs(scales.mean() - 1.25) < 0.08
    # Every crop lies within the scaled image.
    for axis, size in ((0, 200), (1, 100)):
        first, last = found[:, axis, 2], found[:, axis, axis] * 49 + found[:, axis, 2]
        assert (first > -0.5).all() and (last < size - 0.5)[scales > 0.51].all()


def test_eager_graph_and_map_agree(pair):
    def sample(key):
        matrix = random_matrix(tf.shape(pair[1]), EVERYTHING, tf.stack([0, key]))
        pixels = map(tf.constant, pair)
        return warp(*pixels, matrix, EVERYTHING.crop_size, lambda x: x / 255, 255)[:2]

    mapped = tf.data.Dataset.range(5).map(sample, num_parallel_calls=3)
    for key, in_map in enumerate(mapped):
        key = tf.constant(key, tf.int64)
        for eager, graph, other in zip(sample(key), tf.function(sample)(key), in_map, strict=True):
            np.testing.assert_allclose(eager, graph, atol=1e-6)
            np.testing.assert_allclose(eager, other, atol=1e-6)


def test_crop_wholly_beside_the_image():
    # A far corner, turned away: nothing of the image is left, and nothing fails.
    label = np.zeros((4, 400), np.uint8)
    image = np.full((4, 400, 3), 9, np.uint8)
    empty = 0
    for key in range(30):
        got_image, got_label = apply(image, label, Augmentation(3, rotate=180), key)
        assert ((got_label.numpy() == 255) | (got_image.numpy()[..., 0] > 0)).all()
        empty += (got_label.numpy() == 255).all()
    assert empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop_size": 0}, "crop_size"),
        ({"crop_size": (10, 20, 30)}, "crop_size"),
        ({"crop_size": (10, 2.5)}, "crop_size"),
        ({"crop_size": 8, "scale_range": (2, 1)}, "scale_range"),
        ({"crop_size": 8, "scale_range": (0, 1)}, "scale_range"),
        ({"crop_size": 8, "scale_range": (1,)}, "scale_range"),
        ({"crop_size": 8, "scale_choices": (1, 0)}, "scale_choices"),
        ({"crop_size": 8, "scale_choices": (1, 2), "scale_range": (1, 2)}, "scale_choices"),
        ({"crop_size": 8, "pad_place": "evn"}, "even"),
        ({"crop_size": 8, "fill": "reflection"}, "reflect"),
        ({"crop_size": 8, "scale_filter": "lanczos"}, "lanczos_cubic"),
        ({"crop_size": 8, "rotate": -1}, "rotate"),
        ({"crop_size": 8, "rotate": 181}, "rotate"),
    ],
)
def test_impossible_augmentations(options, message):
    with pytest.raises(TfsegError, match=message):
        Augmentation(**options)


def test_one_number_is_a_square():
    assert Augmentation(7).crop_size == (7, 7)


def samples(image, label, augmentation, count=40):
    """`count` samples as training makes them, where normalising changes nothing."""
    sampler = CropSampler(augmentation, 1, 0)
    image, label = tf.constant(image), tf.constant(label)
    for key in range(count):
        key = tf.constant([3, key], tf.int64)
        shown = sampler.show(0, image, label, key, lambda x: x, 255)[:2]
        yield tuple(one.numpy() for one in shown)


NOISE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
NUMBERS = np.arange(1200).reshape(30, 40) % 251


def test_choices_of_scales():
    choices = (0.5, 0.75, 1, 1.25, 1.5)
    found = matrices((40, 80), Augmentation(20, scale_choices=choices, mirror=False), 100)
    scales, counts = np.unique(np.round(1 / found[:, 0, 0], 6), return_counts=True)
    assert tuple(scales) == choices and counts.min() > 8


@pytest.mark.parametrize(("place", "corner"), [("even", (5, 4)), ("bottom_right", (0, 0))])
def test_places_of_padding(place, corner):
    label = NUMBERS.astype(np.uint8)
    augmentation = Augmentation((41, 49), mirror=False, pad_place=place)
    padding = [(c, t - s - c) for c, t, s in zip(corner, (41, 49), label.shape, strict=True)]
    for image, got in samples(NOISE, label, augmentation, 4):
        np.testing.assert_array_equal(got, np.pad(label, padding, constant_values=255))
        np.testing.assert_array_equal(image, np.pad(NOISE, [*padding, (0, 0)]))


@pytest.mark.parametrize("scale_filter", ["bilinear", "lanczos_cubic"])
def test_reflected_fill(scale_filter):
    # As NumPy pads by "reflect", also more than once over.
    label = NUMBERS.astype(np.uint8)
    augmentation = Augmentation(
        (101, 140), mirror=False, pad_place="even", fill="reflect", scale_filter=scale_filter
    )
    padding = [(35, 36), (50, 50)]
    for image, got in samples(NOISE, label, augmentation, 2):
        np.testing.assert_array_equal(got, np.pad(label, padding, constant_values=255))
        np.testing.assert_array_equal(image, np.pad(NOISE, [*padding, (0, 0)], "reflect"))


def test_reflected_fill_of_rotated_crops():
    # Pixels within are the same; none is empty, and labels beyond the image are ignored.
    options = {"crop_size": (50, 60), "rotate": 30, "scale_range": (0.5, 2)}
    label = np.zeros((30, 40), np.uint8)
    pairs = [
        samples(NOISE + np.uint8(1) * (NOISE < 255), label, Augmentation(**options, fill=fill), 20)
        for fill in ("mean", "reflect")
    ]
    for (mean, label), (reflected, same) in zip(*pairs, strict=True):
        np.testing.assert_array_equal(label, same)
        inside = (mean > 0).all(-1) & (label == 0)
        assert (reflected > 0).all() and (label == 255).any()
        close = np.isclose(mean[inside], reflected[inside], atol=0.05).all(-1)
        assert close.mean() > 0.85  # all but those at the edge, which are blended with the fill


def test_reflected_fill_of_rotated_crops_is_numpys():
    """Bilinear between the pixels of an image that was padded by "reflect" beforehand."""
    label = np.zeros((30, 40), np.uint8)
    padded = np.pad(NOISE, [(60, 60), (60, 60), (0, 0)], "reflect").astype(float)
    augmentation = Augmentation((41, 33), (0.6, 1.7), 30, pad_place="even", fill="reflect")
    for key, (image, got) in enumerate(samples(NOISE, label, augmentation, 6)):
        matrix = random_matrix([30, 40], augmentation, tf.constant([3, key], tf.int64)).numpy()
        rows, columns = np.indices((41, 33))
        x, y = np.einsum("ij,jkl->ikl", matrix, np.stack([columns, rows, np.ones_like(rows)]))
        outside = (np.rint(x) < 0) | (np.rint(x) > 39) | (np.rint(y) < 0) | (np.rint(y) > 29)
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        across, down = (x - left)[..., None], (y - top)[..., None]
        corners = [[padded[top + 60 + i, left + 60 + j] for j in (0, 1)] for i in (0, 1)]
        upper, lower = (a * (1 - across) + b * across for a, b in corners)
        np.testing.assert_allclose(image, upper * (1 - down) + lower * down, atol=1e-2)
        np.testing.assert_array_equal(got == 255, outside)


@pytest.mark.parametrize("scale", [0.4, 0.5, 0.77, 1.0, 1.6, 2.0])
def test_scale_filter_is_pillows(scale):
    size = tuple(round(length * scale) for length in (40, 30))
    label = NOISE[..., 0].copy()
    kernel = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    picture = np.asarray(Image.fromarray(NOISE).resize(size, kernel), np.int32)
    numbers = np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))
    augmentation = Augmentation(
        (10, 11), (scale, scale), mirror=False, scale_filter="lanczos_cubic"
    )
    windows = np.lib.stride_tricks.sliding_window_view(numbers, (10, 11))
    for image, got in samples(NOISE, label, augmentation, 5):
        top, left = np.argwhere((windows == got).all((2, 3)))[0]
        # Pillow computes in fixed point.
        difference = np.abs(image - picture[top : top + 10, left : left + 11])
        assert difference.max() <= 1


@pytest.mark.parametrize("scale", [0.6, 0.77, 1.0, 1.3, 1.5])
def test_scale_filter_is_tensorflow_1s(scale):
    size = tuple(round(length * scale) for length in (30, 40))
    picture, numbers = NOISE.astype(float), NOISE[..., 0]
    for axis, length in enumerate(size):
        source = numbers.shape[axis]
        places = np.arange(length) * source / length
        before = np.arange(length) * source // length
        share = (places - before).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        after = np.minimum(before + 1, source - 1)
        picture = picture.take(before, axis) * (1 - share) + picture.take(after, axis) * share
        numbers = numbers.take(before, axis)
    augmentation = Augmentation((10, 11), (scale, scale), mirror=False, scale_filter="legacy")
    windows = np.lib.stride_tricks.sliding_window_view(numbers, (10, 11))
    for image, got in samples(NOISE, NOISE[..., 0].copy(), augmentation, 5):
        top, left = np.argwhere((windows == got).all((2, 3)))[0]
        np.testing.assert_allclose(image, picture[top : top + 10, left : left + 11], atol=1e-2)
