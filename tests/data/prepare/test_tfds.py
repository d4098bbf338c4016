import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import tfseg
from tfseg.data import check_dataset, prepare_tfds, read_split, tfds_builder
from tfseg.data.catalog import Dataset
from tfseg.data.pipelines.classification import list_classes, read_class_folders
from tfseg.errors import TfsegError
from tfseg.evaluation import Evaluator
from tfseg.training import TrainConfig, train

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 48, 64, 3), np.uint8)
MASKS = RNG.integers(1, 4, (6, 6, 8, 1), np.uint8).repeat(8, 1).repeat(8, 2)


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Four training and two validation images whose masks have the values 1 to 3."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
                "segmentation_mask": tfds.features.Image(
                    shape=(None, None, 1), encoding_format="png"
                ),
            }
        )
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        return {"train": self._generate_examples(0, 4), "validation": self._generate_examples(4, 6)}

    def _generate_examples(self, start, stop):
        for index in range(start, stop):
            yield index, {"image": IMAGES[index], "segmentation_mask": MASKS[index]}


@pytest.fixture(scope="session")
def builder(tmp_path_factory):
    made = Shapes(data_dir=tmp_path_factory.mktemp("tfds"))
    made.download_and_prepare()
    return made


def arrays(paths):
    return [np.asarray(Image.open(path)) for path in paths]


def test_prepare(builder, tmp_path):
    facts = Dataset("shapes", ("a", "b"), label_map={1: 0, 2: 1, 3: 255})
    counts, info = prepare_tfds(builder, tmp_path, dataset=facts)
    assert counts == {"train": 4, "val": 2} and info.classes == ["a", "b"]
    assert set(info.class_weights) == {"median_frequency", "effective_number", "square_root"}
    found = read_split(tmp_path, "train")
    # tensorflow-datasets has an order of its own.
    originals = {image.tobytes(): mask[..., 0] for image, mask in zip(IMAGES, MASKS, strict=True)}
    for image, label in zip(arrays(found.images), arrays(found.labels), strict=True):
        mask = originals[image.tobytes()]
        np.testing.assert_array_equal(label, np.array([9, 0, 1, 255])[mask])
    assert check_dataset(tmp_path).errors == []


def test_splits_and_what_is_wrong(builder, tmp_path):
    counts, info = prepare_tfds(builder, tmp_path, {"train": "train[:3]", "val": "train[3:]"})
    assert counts == {"train": 3, "val": 1} and info.classes is None
    with pytest.raises(TfsegError, match="no such split"):
        prepare_tfds(builder, tmp_path, {"train": "holdout"})
    with pytest.raises(TfsegError, match="no feature mask: it has image, segmentation_mask"):
        prepare_tfds(builder, tmp_path, features=("image", "mask"))
    two = Dataset("two", ("a", "b"), label_map={1: 0, 2: 1})
    with pytest.raises(TfsegError, match="has the value 3 in"):
        prepare_tfds(builder, tmp_path / "new", dataset=two)
    with pytest.raises(TfsegError, match="`tfds_name=no_such_set`"):
        tfds_builder("no_such_set", tmp_path)


def test_other_images_never_take_the_place_of_copies(builder, tmp_path):
    two = {"train": "train[:2]"}
    prepare_tfds(builder, tmp_path, two)
    prepare_tfds(builder, tmp_path, {"val": "validation"})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(TfsegError, match=r"copies from shapes/1.0.0 train\[:2\] of the same names"):
        prepare_tfds(builder, tmp_path, {"train": "train[2:]"})
    with pytest.raises(TfsegError, match="of which 1 would be lost"):
        prepare_tfds(builder, tmp_path, {"train": "train[:1]"})
    assert {path: path.read_bytes() for path in before} == before
    assert prepare_tfds(builder, tmp_path, two)[0] == {"train": 2}


def test_a_prepared_set_is_found_by_name(builder):
    again = tfds_builder("shapes", builder.data_dir.rsplit("/", 2)[0])
    assert again.info.splits["train"].num_examples == 4


@pytest.mark.slow
def test_trains_and_evaluates(builder, tmp_path):
    facts = Dataset("shapes", ("a", "b"), label_map={1: 0, 2: 1, 3: 255})
    prepare_tfds(builder, tmp_path / "data", dataset=facts)
    config = TrainConfig(
        data_dir=str(tmp_path / "data"),
        run_dir=str(tmp_path / "run"),
        model="drn_d_22",
        model_options={"blocks": [1, 1, 1, 1, 0, 0, 0, 0]},
        crop_size=32,
        batch_size=2,
        steps=2,
        strategy="one_device",
    )
    assert train(config).step == 2
    predictor = tfseg.load(config.run_dir)
    validation = read_split(config.data_dir, "val")
    matrix = Evaluator(predictor.model, predictor.spec.preprocessing)(validation)
    labels = np.concatenate([label.ravel() for label in arrays(validation.labels)])
    np.testing.assert_array_equal(matrix.sum(1), np.bincount(labels)[:2])
    assert predictor.spec.classes == ["a", "b"]


class Digits(tfds.core.GeneratorBasedBuilder):
    """Three training images and a validation image of the classes b/c and a."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["b/c", "a"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, _):
        return {"train": self._generate_examples(0, 3), "validation": self._generate_examples(3, 4)}

    def _generate_examples(self, start, stop):
        for index in range(start, stop):
            yield index, {"image": IMAGES[index], "label": index % 2}


def test_classes_become_folders(tmp_path):
    builder = Digits(data_dir=tmp_path / "tfds")
    builder.download_and_prepare()
    target = tmp_path / "folders"
    counts, info = prepare_tfds(builder, target, features=("image", "label"))
    assert counts == {"train": 3, "val": 1}
    classes = list_classes(target)
    assert classes == info.classes == ["a", "b_c"]
    train_images = read_class_folders(target, "train", classes)
    found = {
        np.asarray(Image.open(path)).tobytes(): classes[target]
        for path, target in zip(train_images.images, train_images.targets, strict=True)
    }
    assert found == {IMAGES[k].tobytes(): ("b_c", "a")[k % 2] for k in range(3)}
    assert read_class_folders(target, "val", classes).targets == [0]
    mean = IMAGES[:3].mean((0, 1, 2)) / 255
    np.testing.assert_allclose(info.mean, mean, rtol=1e-6)
    for splits in ({"train": "train[:1]"}, {"val": "train"}):
        with pytest.raises(TfsegError, match=r"already that are not from digits/1\.0\.0 train"):
            prepare_tfds(builder, target, splits, features=("image", "label"))
    assert prepare_tfds(builder, target, features=("image", "label"))[0] == counts
    with pytest.raises(TfsegError, match="label of digits is a class"):
        prepare_tfds(builder, target, features=("image", "label"), size=(8, 8))
