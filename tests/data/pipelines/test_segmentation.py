import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data import (
    Augmentation,
    eval_dataset,
    pipeline_errors,
    read_split,
    sample_files,
    train_dataset,
)
from tfseg.data.order import Shuffled
from tfseg.errors import TfsegError
from tfseg.models import Preprocessing

AUGMENTATION = Augmentation((16, 24), scale_range=(0.7, 1.6), rotate=15)
SIZES = [(20, 30), (24, 24), (17, 40), (32, 28), (20, 30)]


@pytest.fixture
def image_list(make_folder):
    return read_split(make_folder(SIZES), "train")


@pytest.fixture(scope="module")
def whole(write_folder, tmp_path_factory):
    """The first 15 samples of what `image_list` lists, one by one."""
    folder = write_folder(tmp_path_factory.mktemp("whole"), SIZES)
    return batches(read_split(folder, "train"), 15)


def first(count, parts):
    return [part[:count] for part in parts]


def batches(image_list, count, augmentation=AUGMENTATION, threads=None, **options):
    """`count` batches of the training set, as two arrays [count * batch, ...]."""
    options = {"num_classes": 4, "batch_size": 1, "seed": 3, **options}
    dataset = train_dataset(image_list, augmentation, Preprocessing(), **options)
    if threads:
        tuning = tf.data.Options()
        tuning.threading.private_threadpool_size = threads
        tuning.autotune.enabled = False
        dataset = dataset.with_options(tuning)
    parts = [(images.numpy(), labels.numpy()) for images, labels in dataset.take(count)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def orders(size, epochs, seed):
    order = Shuffled(size, seed)
    get = tf.function(lambda number: order(number)[1])
    numbers = np.arange(size * epochs, dtype=np.int64)
    return np.array([get(tf.constant(n)).numpy() for n in numbers]).reshape(epochs, size)


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_an_epoch_is_every_file_once(size):
    found = orders(size, 4, seed=0)
    np.testing.assert_array_equal(np.sort(found), np.tile(np.arange(size), (4, 1)))


def test_orders_differ_by_epoch_and_seed_and_look_random():
    found = np.concatenate([orders(60, 20, seed=seed) for seed in (0, 1, 2**40, -1)])
    assert len({tuple(order) for order in found}) == 80
    # The share of neighbours in the list that are neighbours in time: 2 / 60 by chance. The plain
    # index_shuffle has orders where it is above a half.
    near = (np.abs(np.diff(found)) == 1).mean(axis=1)
    assert near.max() < 0.2
    assert 0.02 < near.mean() < 0.05


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_do_not_matter(image_list, whole, threads):
    assert_same(first(12, whole), batches(image_list, 12, threads=threads))


def test_batching_does_not_matter(image_list, whole):
    assert_same(first(12, whole), batches(image_list, 4, batch_size=3))


def test_seed_matters(image_list, whole):
    assert not np.array_equal(first(3, whole)[0], batches(image_list, 3, seed=4)[0])


def test_epochs_augment_differently(whole):
    images, _ = whole
    assert len(np.unique(images.reshape(15, -1), axis=0)) == 15


@pytest.mark.parametrize("start", [1, 5, 8])
def test_resuming_continues(image_list, whole, start):
    rest = batches(image_list, 15 - start, first_sample=start)
    assert_same([part[start:] for part in whole], rest)


@pytest.mark.parametrize(
    ("workers", "batch"), [pytest.param(2, 1, marks=pytest.mark.slow), (2, 3), (3, 2)]
)
def test_workers_share_every_block(image_list, whole, workers, batch):
    parts = [
        batches(image_list, 12 // workers // batch, batch_size=batch, block=(worker, workers, 6))
        for worker in range(workers)
    ]
    for merged, expected in zip(zip(*parts, strict=True), first(12, whole), strict=True):
        # [worker, block, within the share] back to the order of the samples.
        shares = np.stack([part.reshape(2, 6 // workers, *part.shape[1:]) for part in merged], 1)
        np.testing.assert_array_equal(shares.reshape(expected.shape), expected)


@pytest.mark.parametrize("block", [(0, 2, 5), (0, 2, 4), (0, 4, 2)])
def test_blocks_must_come_out_even(image_list, block):
    with pytest.raises(TfsegError, match="can't be dealt"):
        batches(image_list, 1, batch_size=3, block=block)


def test_cache_changes_nothing(image_list, whole):
    assert_same(first(12, whole), batches(image_list, 12, cache=True))


def test_no_tuner_keeps_finished_pipelines_alive(image_list, identity):
    # Deleting their iterators would wait for it to wake: see `finish`.
    for dataset in (
        train_dataset(image_list, AUGMENTATION, identity, num_classes=4, batch_size=1, seed=0),
        eval_dataset(image_list, num_classes=4),
    ):
        assert dataset.options().autotune.enabled is False


def test_element_types(image_list):
    dataset = train_dataset(
        image_list, AUGMENTATION, Preprocessing(), num_classes=4, batch_size=2, seed=0
    )
    images, labels = dataset.element_spec
    assert images == tf.TensorSpec([2, 16, 24, 3], tf.float32)
    assert labels == tf.TensorSpec([2, 16, 24], tf.int32)


def test_padding_is_mean_colour_and_ignore_label(image_list):
    images, labels = batches(image_list, 5, augmentation=Augmentation(48), ignore_label=9)
    outside = labels == 9
    assert outside.any(axis=(1, 2)).all()
    assert not images[outside].any()
    assert images[~outside].all()


def test_preprocessing_is_applied(make_folder, identity):
    image_list = read_split(make_folder([(8, 8)]), "train")
    plain = Augmentation(8, mirror=False)
    bgr = Preprocessing((1, 2, 3), (4, 5, 6), channel_order="BGR", scale=1.0)
    raw, found = (
        next(iter(train_dataset(image_list, plain, one, num_classes=4, batch_size=1, seed=0)))[0]
        for one in (identity, bgr)
    )
    raw = raw.numpy()
    np.testing.assert_allclose(found, (raw[..., ::-1] - [1, 2, 3]) / [4, 5, 6], rtol=1e-5)


def test_sample_files_are_those_shown(tmp_path, identity):
    for number in range(6):
        Image.new("RGB", (4, 4), (number,) * 3).save(tmp_path / f"{number}.png")
        Image.new("L", (4, 4)).save(tmp_path / f"l{number}.png")
    (tmp_path / "train.txt").write_text("".join(f"{n}.png l{n}.png\n" for n in range(6)))
    image_list = read_split(tmp_path, "train")
    dataset = train_dataset(
        image_list, Augmentation(4), identity, num_classes=1, batch_size=1, seed=5, first_sample=4
    )
    shown = [f"{int(images[0, 0, 0, 0])}.png" for images, _ in dataset.take(10)]
    assert shown == sample_files(image_list, Augmentation(4), 5, 4, 10)


def test_label_map(make_folder, whole):
    image_list = read_split(make_folder(SIZES), "train")
    options = {"num_classes": 2, "label_map": {0: 1, 1: 0, 2: 255, 3: 1}}
    _, plain = first(5, whole)
    _, mapped = batches(image_list, 5, **options)
    table = np.zeros(256, int)
    table[[0, 1, 2, 3, 255]] = [1, 0, 255, 1, 255]
    np.testing.assert_array_equal(mapped, table[plain])
    for (_, whole, index), path in zip(
        eval_dataset(image_list, **options), image_list.labels, strict=True
    ):
        np.testing.assert_array_equal(whole[0], table[np.asarray(Image.open(path))])
        assert image_list.labels[int(index[0])] == path


def test_label_map_must_lead_to_classes(image_list):
    with pytest.raises(TfsegError, match="takes 1 to 2, but there are 2 classes"):
        batches(image_list, 1, num_classes=2, label_map={0: 0, 1: 2})


def test_eval_is_whole_images_in_order(image_list):
    found = list(eval_dataset(image_list, num_classes=4))
    assert [tuple(labels.shape) for _, labels, _ in found] == [(1, *size) for size in SIZES]
    assert [index.numpy().tolist() for _, _, index in found] == [[0], [1], [2], [3], [4]]
    for images, labels, _ in found:
        assert labels.dtype == tf.int32
        np.testing.assert_array_equal(images[..., 0], 20 * labels + 10)


def test_eval_batches_images_of_one_size(make_folder):
    sizes = [(4, 6), (5, 5), (4, 6), (4, 6), (5, 5), (4, 6), (6, 4)]
    image_list = read_split(make_folder(sizes), "train")
    found = list(eval_dataset(image_list, num_classes=7, batch_size=3))
    indices = [index.numpy().tolist() for _, _, index in found]
    assert indices == [[0, 2, 3], [5], [1, 4], [6]]
    for images, labels, index in found:
        assert images.dtype == tf.uint8
        for image, label, number in zip(images, labels, index.numpy(), strict=True):
            assert label.shape == sizes[number]
            np.testing.assert_array_equal(image[..., 0], 20 * label + 10)
    # Two workers with two replicas each: one step.
    for worker in range(2):
        part = eval_dataset(image_list, num_classes=7, batch_size=3, shard=(worker, 2), replicas=2)
        assert [index.numpy().tolist() for _, _, index in part] == indices[worker::2]


def test_shards_partition_and_pad(image_list):
    indices = []
    for shard in range(3):
        part = eval_dataset(image_list, num_classes=4, shard=(shard, 3))
        elements = list(part)
        assert len(elements) == 2
        for _, labels, index in elements:
            if (labels.numpy() != 255).any():
                indices.append(int(index[0]))
            else:
                assert tuple(labels.shape[1:]) == SIZES[0]
    assert sorted(indices) == [0, 1, 2, 3, 4]


def test_labels_are_needed(make_folder):
    folder = make_folder(SIZES)
    (folder / "train_labels.txt").unlink()
    image_list = read_split(folder, "train", labels=False)
    for make in (
        lambda: eval_dataset(image_list, num_classes=4),
        lambda: batches(image_list, 1),
    ):
        with pytest.raises(TfsegError, match="without label maps"):
            make()


def assert_names_the_problem(image_list, message, cache=False):
    for pull in (
        lambda: batches(image_list, 5, cache=cache),
        lambda: list(eval_dataset(image_list, num_classes=4)),
    ):
        with pytest.raises(TfsegError, match=message) as caught, pipeline_errors(image_list):
            pull()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cache", [False, True])
def test_wrong_label_value(image_list, cache):
    path = image_list.labels[3]
    label = np.array(Image.open(path))
    label[2, 3:6] = 11
    Image.fromarray(label).save(path)
    message = r"3_label.png has the value 11 in 3 pixels; allowed are 0\.\.3 and 255$"
    assert_names_the_problem(image_list, message, cache)


def test_wrong_label_value_in_a_path_beyond_ascii(tmp_path):
    for name, image in (
        ("é'Straße.png", Image.new("RGB", (4, 4))),
        ("l.png", Image.new("L", (4, 4), 7)),
    ):
        image.save(tmp_path / name)
    (tmp_path / "train.txt").write_text("l.png é'Straße.png", encoding="utf-8")
    assert_names_the_problem(
        read_split(tmp_path, "train"), "map .*/é'Straße.png has 8-bit RGB pixels"
    )


def test_colour_label_map(image_list):
    Image.open(image_list.labels[1]).convert("RGB").save(image_list.labels[1])
    assert_names_the_problem(image_list, "1_label.png has 8-bit RGB pixels; label maps must be")


def test_sizes_that_differ(image_list):
    Image.new("L", (30, 21)).save(image_list.labels[0])
    assert_names_the_problem(
        image_list, r"0\.png is 30x20, but its label map .*0_label\.png is 30x21"
    )


def test_truncated_image(image_list):
    with open(image_list.images[2], "r+b") as file:
        file.truncate(150)
    assert_names_the_problem(image_list, r"image .*/2\.png can't be read: ")


def test_vanished_file(image_list):
    os.remove(image_list.labels[4])
    assert_names_the_problem(image_list, r"label map .*4_label\.png does not exist")


def test_other_errors_pass(image_list):
    with pytest.raises(tf.errors.InvalidArgumentError), pipeline_errors(image_list):
        tf.debugging.assert_equal(1, 2)
    with pytest.raises(KeyError), pipeline_errors(image_list):
        {}["key"]
