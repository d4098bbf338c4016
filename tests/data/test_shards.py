import dataclasses
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfseg.data import (
    Augmentation,
    NaturalShapes,
    check_dataset,
    eval_dataset,
    pipeline_errors,
    read_split,
    train_dataset,
    write_sample_dataset,
    write_shards,
)
from tfseg.data.prepare import measure_folder
from tfseg.errors import TfsegError

SIZES = [(20, 30), (24, 24), (30, 20), (16, 40), (20, 30), (22, 26), (18, 30)]


@pytest.fixture
def both(make_folder):
    """(the list of files, the list of 3 shards) of one folder."""
    folder = make_folder(SIZES)
    files = read_split(folder, "train")
    assert len(write_shards(folder, ["train"], 3)) == 3
    return files, read_split(folder, "train")


def train(image_list, identity, count, augmentation=None, **options):
    augmentation = augmentation or Augmentation(16, scale_range=(0.5, 2), rotate=10)
    options = {"batch_size": 2, **options}
    dataset = train_dataset(image_list, augmentation, identity, num_classes=4, seed=3, **options)
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(one, other):
    for parts, others in zip(one, other, strict=True):
        for a, b in zip(parts, others, strict=True):
            np.testing.assert_array_equal(a, b)


def test_samples_are_those_of_the_files(both, identity):
    files, shards = both
    assert shards.names == files.names and len(set(shards.images)) == 3
    expected = train(files, identity, 8)
    assert_equal(expected, train(shards, identity, 8))
    assert_equal(expected[:4], train(shards, identity, 4, cache=True))
    natural = NaturalShapes((16, 20), 40)
    assert_equal(train(files, identity, 8, natural), train(shards, identity, 8, natural))
    files, shards = (eval_dataset(one, num_classes=4).as_numpy_iterator() for one in both)
    assert_equal(files, shards)


def test_two_workers_get_every_sample_once(both, identity):
    files, shards = both
    together = train(files, identity, 7, batch_size=4)
    dealt = [train(shards, identity, 7, batch_size=2, block=(k, 2, 4)) for k in range(2)]
    for step, (images, labels) in enumerate(together):
        np.testing.assert_array_equal(np.concatenate([one[step][0] for one in dealt]), images)
        np.testing.assert_array_equal(np.concatenate([one[step][1] for one in dealt]), labels)
    # In an evaluation every file comes once.
    order = [
        index
        for k in range(2)
        for *_, (index,) in eval_dataset(shards, num_classes=4, shard=(k, 2)).as_numpy_iterator()
    ]
    # One of the two is filled up.
    assert sorted(order) == [-1, *range(7)]


def test_check_reads_shards(both):
    shards = both[1]
    report = check_dataset(shards.root, splits=["train"])
    assert report.errors == [] and report.splits["train"].pixels.sum() == sum(
        height * width for height, width in SIZES
    )
    with open(shards.images[0], "r+b") as file:
        file.seek(shards.offsets[1] + 200)
        file.write(b"damage" * 5)
    damaged = pytest.raises(TfsegError, match=r"train-00000-of-00003\.tfrecord .image of train/1")
    with damaged, pipeline_errors(shards):
        list(eval_dataset(shards, num_classes=4))
    (error,) = check_dataset(shards.root, splits=["train"]).errors
    assert "train-00000-of-00003.tfrecord (" in error and "1" in error


def test_shards_of_a_folder_that_changed(both):
    folder = both[0].root
    (name,) = write_shards(folder, ["train"], 1)
    shards = read_split(folder, "train")
    assert set(shards.images) == {name} and shards.sizes[0] == SIZES[0]
    tf.io.gfile.remove(both[0].labels[2])
    with pytest.raises(TfsegError, match=r"label map .*2_label.png does not exist"):
        write_shards(folder, ["train"], 2)
    with open(f"{folder}/train_shards.txt", "w") as file:
        file.write("one\ttwo\n")
    with pytest.raises(TfsegError, match="line 1: expected shard, offset"):
        read_split(folder, "train")


def test_names_of_records_are_only_names(both):
    index = f"{both[1].root}/train_shards.txt"
    with open(index) as file:
        rows = [line.split("\t")[:4] for line in file]
    names = ["../../../tmp/x.png", "//tmp/y.png", "a\tb.png", "same.png", "same.png", "é.png", "/"]
    with open(index, "w", encoding="utf-8") as file:
        file.writelines(
            "\t".join([*row, name]) + "\n" for row, name in zip(rows, names, strict=True)
        )
    found = read_split(both[1].root, "train").stems
    assert found[:4] == ["tmp/x", "tmp/y", "a_b", "same"]
    assert found[4].startswith("same~") and found[5:] == ["é", "_"]


def test_lists_may_hold_whatever_gfile_reads(both, identity):
    files = both[0]
    for path in (*files.images, *files.labels):
        with tf.io.gfile.GFile("ram://bucket" + path, "wb") as target, open(path, "rb") as source:
            shutil.copyfileobj(source, target)
    root = both[1].root
    tf.io.gfile.remove(f"{root}/train_shards.txt")
    for kind, paths in (("images", files.images), ("labels", files.labels)):
        with open(f"{root}/train_{kind}.txt", "w") as file:
            file.writelines(f"ram://bucket{path}\n" for path in paths)
    remote = read_split(root, "train")
    assert remote.images[0] == "ram://bucket" + files.images[0]
    assert remote.stems[0] == "bucket" + os.path.splitext(files.images[0])[0]
    assert_equal(train(files, identity, 4), train(remote, identity, 4))
    assert check_dataset(root, splits=["train"]).errors == []
    natural = NaturalShapes((16, 20), 40)
    plain = dataclasses.replace(files, sizes=None)
    assert_equal(train(plain, identity, 2, natural), train(remote, identity, 2, natural))


def test_statistics_of_a_folder_with_shards(tmp_path):
    write_sample_dataset(tmp_path, train=3, val=0, size=(32, 48))
    before = measure_folder(tmp_path)[1]
    write_shards(tmp_path, ["train"], 2)
    assert measure_folder(tmp_path)[1] == before
