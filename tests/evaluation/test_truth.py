import json

import numpy as np
import pytest
from PIL import Image

from tfseg.data import read_split, write_shards
from tfseg.errors import TfsegError
from tfseg.evaluation.confusion import confusion_matrix
from tfseg.evaluation.truth import Truth


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    lines = []
    for number in range(3):
        Image.fromarray(generator.integers(0, 256, (9, 7, 3), np.uint8)).save(
            tmp_path / f"{number}.png"
        )
        labels = generator.integers(0, 4, (9, 7)).astype(np.uint8)
        Image.fromarray(labels).save(tmp_path / f"{number}_label.png")
        lines.append(f"{number}.png {number}_label.png\n")
    (tmp_path / "val.txt").write_text("".join(lines))
    (tmp_path / "info.json").write_text(json.dumps({"mean": [0.5] * 3, "std": [0.2] * 3}))
    return tmp_path


def test_shards_show_what_the_files_show(folder):
    label_map = {0: 255, 1: 0, 2: 1, 3: 2}
    files = Truth(read_split(folder, "val"), 3, label_map)
    write_shards(folder, ["val"], 2)
    shards = Truth(read_split(folder, "val"), 3, label_map)
    assert shards.image_list.offsets is not None
    for index in range(3):
        np.testing.assert_array_equal(shards.image(index), files.image(index))
        np.testing.assert_array_equal(shards.labels(index), files.labels(index))
        assert set(np.unique(files.labels(index))) == {0, 1, 2, 255}


def test_matrix_is_the_evaluations(folder):
    truth = Truth(read_split(folder, "val"), 3, {0: 255, 1: 0, 2: 1, 3: 2})
    labels = np.random.default_rng(1).integers(0, 3, (9, 7)).astype(np.uint8)
    expected = confusion_matrix(truth.labels(0), labels, 3)
    np.testing.assert_array_equal(truth.matrix(0, labels), expected)
    assert truth.matrix(0, labels).dtype == np.int64


def test_a_missing_label_map_is_named(folder):
    truth = Truth(read_split(folder, "val"), 4)
    (folder / "1_label.png").unlink()
    with pytest.raises(TfsegError, match=r"label map .*1_label\.png does not exist"):
        truth.labels(1)
