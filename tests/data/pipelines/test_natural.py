import collections

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data import (
    NaturalShapes,
    pipeline_errors,
    read_split,
    sample_files,
    train_dataset,
)
from tfseg.data.order import Grouped
from tfseg.data.resizing import resize_labels, resized
from tfseg.errors import TfsegError

# (height, width): four landscape or square, three portrait.
SIZES = [(20, 30), (40, 24), (24, 24), (17, 40), (40, 31), (20, 33), (50, 20)]
SHAPES = NaturalShapes((12, 16, 20), max_long_side=36, size_divisor=8)


@pytest.fixture
def image_list(make_folder):
    return read_split(make_folder(SIZES), "train")


def elements(image_list, identity, count, shapes=SHAPES, **options):
    options = {"num_classes": 4, "batch_size": 2, "seed": 3, **options}
    dataset = train_dataset(image_list, shapes, identity, **options)
    return [(images.numpy(), labels.numpy()) for images, labels in dataset.take(count)]


def assert_same(one, other):
    for pair, wanted in zip(one, other, strict=True):
        for a, b in zip(pair, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def groups(order, epochs):
    """[epoch, group, member]: the file of every sample."""
    get = tf.function(order)
    count = int(order.groups.sum())
    found = [get(tf.constant(n, tf.int64)) for n in range(epochs * count * order.group_size)]
    assert [int(epoch) for epoch, _ in found] == sorted(
        list(range(epochs)) * (len(found) // epochs)
    )
    files = np.array([int(file) for _, file in found])
    return files.reshape(epochs, count, order.group_size)


def test_groups_are_of_one_kind_and_an_epoch_shows_every_file():
    kinds = [[0, 2, 3, 5, 8, 9, 10], [1, 4, 6], [], [7]]
    found = groups(Grouped(kinds, 2, seed=1), 40)
    kind_of = {file: kind for kind, files in enumerate(kinds) for file in files}
    for epoch in found:
        assert all(len({kind_of[file] for file in group}) == 1 for group in epoch.tolist())
        times = collections.Counter(epoch.ravel().tolist())
        # 4, 2 and 1 groups of two have room for one file of each kind to come twice.
        assert set(times) == set(range(11)) and sorted(times.values()) == [1] * 8 + [2] * 3
    assert len({tuple(epoch.ravel()) for epoch in found}) == 40
    # Which files meet, and when a kind comes, differ from epoch to epoch.
    assert len({tuple(sorted(g)) for epoch in found for g in epoch.tolist()}) > 20
    assert len({tuple(kind_of[group[0]] for group in epoch.tolist()) for epoch in found}) > 20


def test_batches_have_one_short_side_one_orientation_and_padding(image_list, identity):
    shapes = NaturalShapes((12, 16, 20), 60, 8, mirror=False)
    names = sample_files(image_list, shapes, 3, 0, 40, batch_size=2)
    shown = collections.Counter()
    for number, (images, labels) in enumerate(elements(image_list, identity, 20, shapes)):
        files = [int(name.split("/")[1][0]) for name in names[2 * number : 2 * number + 2]]
        assert len({SIZES[file][0] > SIZES[file][1] for file in files}) == 1
        candidates = []
        for short in shapes.short_sides:
            sizes = resized(tf.constant([SIZES[file] for file in files]), short, 60).numpy()
            candidates.append((short, sizes, -(-sizes.max(0) // 8) * 8))
        inside = labels[0] != 255
        height, width = inside.any(1).sum(), inside.any(0).sum()
        ((short, sizes, full),) = (
            entry for entry in candidates if entry[1][0].tolist() == [height, width]
        )
        shown[short] += 1
        assert images.shape == (2, *full, 3) and labels.shape == (2, *full)
        for file, size, image, label in zip(files, sizes, images, labels, strict=True):
            original = tf.constant(np.array(Image.open(image_list.labels[file])), tf.int32)
            expected = resize_labels(original[None], size)[0]
            np.testing.assert_array_equal(label[: size[0], : size[1]], expected)
            assert (label[size[0] :] == 255).all() and (label[:, size[1] :] == 255).all()
            assert not image[size[0] :].any() and not image[:, size[1] :].any()
            # The image shows its labels; interpolated edges make up a good part of it.
            part = image[: size[0], : size[1], 0]
            assert np.corrcoef(part.ravel(), expected.numpy().ravel())[0, 1] > 0.8
    assert set(shown) == set(shapes.short_sides)


def test_mirroring_turns_image_and_label(image_list, identity):
    plain = elements(image_list, identity, 12, NaturalShapes((16,), 36, 8, mirror=False))
    turned = elements(image_list, identity, 12, NaturalShapes((16,), 36, 8))
    mirrored = 0
    for (images, labels), (others, other_labels) in zip(plain, turned, strict=True):
        for image, label, other, other_label in zip(
            images, labels, others, other_labels, strict=True
        ):
            width = (label != 255).any(0).sum()
            expected, expected_label = image.copy(), label.copy()
            if not np.array_equal(other, image):
                mirrored += 1
                expected[:, :width] = image[:, :width][:, ::-1]
                expected_label[:, :width] = label[:, :width][:, ::-1]
            np.testing.assert_array_equal(other, expected)
            np.testing.assert_array_equal(other_label, expected_label)
    assert 6 <= mirrored <= 18


def test_continues_at_any_batch_and_deals_to_workers(image_list, identity):
    whole = elements(image_list, identity, 12)
    # From memory as well as from files.
    assert_same(elements(image_list, identity, 5, first_sample=14, cache=True), whole[7:])
    parts = [elements(image_list, identity, 6, block=(worker, 2, 4)) for worker in range(2)]
    assert_same([parts[number % 2][number // 2] for number in range(12)], whole)
    with pytest.raises(TfsegError, match="sample 3 isn't the first of a batch of 2"):
        elements(image_list, identity, 1, first_sample=3)


def test_list_that_states_wrong_sizes(image_list, identity, tmp_path):
    for number, (height, width) in enumerate(SIZES):
        line = (
            f'{{"fpath_img": "train/{number}.png", "fpath_segm": "train/{number}_label.png", '
            f'"width": {width + (number == 4)}, "height": {height}}}\n'
        )
        with open(tmp_path / "other.odgt", "a") as file:
            file.write(line)
    other = read_split(tmp_path, "other")
    expected = pytest.raises(TfsegError, match=r"4.png is 31x40, but its list says 32x40")
    with expected, pipeline_errors(other):
        elements(other, identity, 10)


@pytest.mark.parametrize("values", [((),), ((0,),), ((16,), -1), ((16,), 100, 8.0)])
def test_bad_shapes(values):
    with pytest.raises(TfsegError, match="positive whole numbers"):
        NaturalShapes(*values)
