"""Every release's layout, from a few files drawn into it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfseg.data import (
    DataInfo,
    check_dataset,
    measure_folder,
    prepare_dataset,
    read_split,
)
from tfseg.data.catalog import DATASETS, Dataset, read_classes
from tfseg.data.labels import class_values
from tfseg.data.prepare.class_weights import class_weights
from tfseg.data.prepare.source import carry_out, plan
from tfseg.errors import TfsegError

RNG = np.random.default_rng(0)


def put(path, values=None):
    """Writes an image (random without `values`), a label map or an RGB label map of 4x6 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if values is None:
        values = RNG.integers(0, 256, (4, 6, 3), np.uint8)
    elif np.ndim(values) < 2:
        values = np.resize(np.array(values, np.uint8), (4, 6))
    Image.fromarray(values).save(path)


def lines(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))


def labels(folder, split, index=0):
    return np.asarray(Image.open(read_split(folder, split).labels[index]))


@pytest.fixture
def cityscapes(tmp_path):
    """One image of each split; labels have every id in 0..33, as far as there is room."""
    source = tmp_path / "source"
    for folder, kind in (
        ("train", "Fine"),
        ("val", "Fine"),
        ("test", "Fine"),
        ("train_extra", "Coarse"),
    ):
        stem = f"{folder}/bonn/bonn_000001_000019"
        put(source / f"leftImg8bit/{stem}_leftImg8bit.png")
        put(source / f"gt{kind}/{stem}_gt{kind}_labelIds.png", range(10, 34))
        put(source / f"gt{kind}/{stem}_gt{kind}_color.png")
    return source


@pytest.mark.parametrize("in_place", [False, True])
def test_cityscapes(cityscapes, tmp_path, in_place):
    out = tmp_path / "out"
    counts, info = prepare_dataset("cityscapes", cityscapes, out, in_place=in_place)
    assert counts == {"train": 1, "val": 1, "test": 1, "coarse": 1}
    assert (info.label_map is not None) == in_place
    assert (out / "images").exists() != in_place
    assert "gtCoarse" in read_split(out, "coarse").labels[0] or not in_place
    report = check_dataset(out, splits=["train", "val", "coarse"])
    assert report.errors == []
    # Ids 11, 12, 13, 17, … of 10..33 are train ids 2, 3, 4, 5, …
    assert report.splits["val"].pixels.tolist() == [0, 0, *[1] * 17]
    with pytest.raises(TfsegError, match=r"test_labels\.txt is missing"):
        read_split(out, "test")
    assert len(read_split(out, "test", labels=False)) == 1


def test_cityscapes_ids_go_there_and_back():
    dataset = DATASETS["cityscapes"].facts
    original = class_values(19, dataset.label_map)
    # The train ids of the benchmark's label definitions.
    assert original[:19].tolist() == [
        *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    ]
    assert [dataset.label_map[value] for value in original[:19].tolist()] == list(range(19))
    assert class_values(150, DATASETS["ade20k"].facts.label_map)[[0, 149]].tolist() == [1, 150]


@pytest.mark.parametrize("in_place", [False, True])
def test_loveda(tmp_path, in_place):
    source, out = tmp_path / "LoveDA", tmp_path / "out"
    for split in ("Train", "Val", "Test"):
        for place, number in (("Rural", 0), ("Urban", 1)):
            put(source / f"{split}/{place}/images_png/{number}.png")
            if split != "Test":
                put(source / f"{split}/{place}/masks_png/{number}.png", range(8))
    counts, info = prepare_dataset("loveda", source, out, in_place=in_place)
    assert counts == {"train": 2, "val": 2, "test": 2}
    assert info.classes[0] == "background" and info.palette[-1] == [255, 195, 128]
    report = check_dataset(out)
    # A pixel in eight has no data.
    assert report.errors == [] and report.splits["train"].pixels.tolist() == [6] * 7
    assert class_values(7, DATASETS["loveda"].facts.label_map)[:7].tolist() == [*range(1, 8)]


@pytest.fixture
def voc(tmp_path):
    """VOC 2012 with two training images, one for validation and one that only SBD annotates."""
    source = tmp_path / "VOC2012"
    for name in "abvs":
        put(source / f"JPEGImages/{name}.jpg")
    for name, value in (("a", 1), ("b", 2), ("v", 3)):
        put(source / f"SegmentationClass/{name}.png", [value, 255])
    lines(source / "ImageSets/Segmentation/train.txt", "a", "b")
    lines(source / "ImageSets/Segmentation/val.txt", "v")
    return source


def test_voc12_and_its_augmentation(voc, tmp_path):
    out = tmp_path / "out"
    assert prepare_dataset("voc12", voc, out)[0] == {"train": 2, "val": 1}
    with pytest.raises(TfsegError, match=r"no folder .*SegmentationClassAug"):
        prepare_dataset("voc12aug", voc, out)
    for name in "abvs":
        put(voc / f"SegmentationClassAug/{name}.png", [7, 0])
    assert prepare_dataset("voc12aug", voc, out)[0] == {"train": 3, "val": 1}
    assert read_split(out, "train").names == [f"images/{name}.jpg" for name in "abs"]
    assert [labels(out, "train", index)[0, 0] for index in range(3)] == [7, 7, 7]
    # Validation stays on VOC's own annotations.
    assert labels(out, "val")[0, 0] == 3


def save_mat(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("scipy.io").savemat(path, content)


def test_voc12_with_sbd(voc, tmp_path):
    sbd = tmp_path / "benchmark_RELEASE"
    for name in "bvs":
        segmentation = np.full((4, 6), 9, np.uint8)
        save_mat(sbd / f"dataset/cls/{name}.mat", {"GTcls": {"Segmentation": segmentation}})
    out = tmp_path / "out"
    assert prepare_dataset("voc12aug", [voc, sbd], out)[0] == {"train": 3, "val": 1}
    # VOC's own annotation of b is kept; SBD adds s, and not v, which is for validation.
    assert [labels(out, "train", index)[0, 0] for index in range(3)] == [1, 2, 9]
    with pytest.raises(TfsegError, match="no PNG, so it can't stay in place"):
        prepare_dataset("voc12aug", [voc, sbd], out, in_place=True)


@pytest.mark.parametrize("ending", ["mat", "png"])
def test_cocostuff10k(tmp_path, ending):
    source = tmp_path / "source"
    lines(source / "imageLists/train.txt", "one")
    lines(source / "imageLists/test.txt", "two")
    for name in ("one", "two"):
        put(source / f"images/{name}.jpg")
        path = source / f"annotations/{name}.{ending}"
        values = np.resize(np.array([0, 1, 182]), (4, 6))
        if ending == "mat":
            save_mat(path, {"S": values.astype(np.uint16), "names": ["x"]})
        else:
            put(path, values.astype(np.uint8))
    counts, info = prepare_dataset("cocostuff10k", source, tmp_path / "out")
    assert counts == {"train": 1, "val": 1} and len(info.classes) == 182
    assert labels(tmp_path / "out", "val")[0, :3].tolist() == [255, 0, 181]
    assert (info.classes[0], info.classes[91], info.classes[181]) == ("person", "banner", "wood")


def test_cocostuff164k_and_a_release_of_one_split(tmp_path):
    put(tmp_path / "images/val2017/000000000139.jpg")
    put(tmp_path / "stuffthingmaps/val2017/000000000139.png", [0, 181, 255])
    counts, info = prepare_dataset("cocostuff164k", tmp_path, tmp_path / "out", in_place=True)
    assert counts == {"val": 1} and info.label_map is None and max(info.std) > 0
    assert check_dataset(tmp_path / "out", splits=["val"]).errors == []
    with pytest.raises(TfsegError, match=r"not laid out like .*: it has no leftImg8bit/train"):
        prepare_dataset("cityscapes", tmp_path, tmp_path / "out")


def test_ade20k_lists(tmp_path):
    source = tmp_path / "ADEChallengeData2016"
    for folder in ("training", "validation"):
        image, label = (
            f"ADEChallengeData2016/{kind}/{folder}/x" for kind in ("images", "annotations")
        )
        put(tmp_path / f"{image}.jpg")
        put(tmp_path / f"{label}.png", [0, 1])
        entry = {"fpath_img": f"{image}.jpg", "fpath_segm": f"{label}.png", "width": 6, "height": 4}
        lines(tmp_path / f"{folder}.odgt", json.dumps(entry))
    assert prepare_dataset("ade20k", source, tmp_path / "out")[0] == {"train": 1, "val": 1}
    assert labels(tmp_path / "out", "train")[0, :2].tolist() == [255, 0]


def test_camvid_colours(tmp_path):
    source = tmp_path / "source"
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:2] = (128, 64, 128)
    for name in ("x", "y"):
        put(source / f"701_StillsRaw_full/{name}.png")
        put(source / f"LabeledApproved_full/{name}_L.png", colours)
    counts, info = prepare_dataset("camvid32", source, tmp_path / "out")
    assert counts == {"train": 2} and len(info.classes) == 31
    assert labels(tmp_path / "out", "train")[:, 0].tolist() == [17, 17, 255, 255]
    assert info.classes[17] == "Road" and info.palette[17] == [128, 64, 128]
    lines(source / "train.txt", "x.png")
    lines(source / "val.txt", "y.png")
    assert prepare_dataset("camvid32", source, tmp_path / "out")[0] == {"train": 1, "val": 1}
    with pytest.raises(TfsegError, match="can't stay in place"):
        prepare_dataset("camvid32", source, tmp_path / "out", in_place=True)
    colours[0, :5] = (1, 2, 3)
    colours[1, 0] = (9, 9, 9)
    put(source / "LabeledApproved_full/y_L.png", colours)
    with pytest.raises(
        TfsegError, match=r"y_L.png has the unknown colour \(1, 2, 3\) in 5 pixels \(and 1 more"
    ):
        prepare_dataset("camvid32", source, tmp_path / "out")


def prepare_folder(source, data_dir, **facts):
    return carry_out(plan(source, "folder", facts=facts, val_share=0.0), data_dir)


def test_names_that_are_not_utf8(tmp_path):
    source = tmp_path / "source"
    put(source / "images/a.png")
    put(source / "labels/a.png", [0, 1])
    (source / "images/a.png").rename(
        source / "images" / b"caf\xe9.png".decode(errors="surrogateescape")
    )
    with pytest.raises(TfsegError, match=r"name is not UTF-8: b'images/caf\\xe9.png'"):
        prepare_folder(source, tmp_path / "out")


def test_class_tables(tmp_path):
    path = tmp_path / "colours.csv"
    path.write_text("name, r, g, b\nsky, 0, 0, 255\nroad, 9, 9, 9\n")
    facts = read_classes(path)
    assert facts["classes"] == ("sky", "road")
    assert facts["color_map"] == {(0, 0, 255): 0, (9, 9, 9): 1}
    for text, message in (
        ("name,r,g\nsky,0,0\n", "has no column 'blue'"),
        ("name,r,g,b\nsky,0,0,999\n", "999 is not in 0..255"),
        ("name,r,g,b\nsky,0,0,0\nroad,0,0,0\n", "two meanings: 0 and 1"),
        ("name,r,g,b,index\nsky,0,0,0,1\n", "without a gap"),
        ("name,r,g,b\n", "empty table"),
        ("name,r,g,b\nsky,0,0,x\n", "invalid literal"),
        ("name,r,g,b\nsky,0,0,0\nsky,0,0,1\n", "classes 0 and 1 are both called 'sky'"),
        ("name,r,g,b,value\nsky,0,0,0,256\n", "the label value 256, which is not in 0..255"),
        ("name,r,g,b,value\nsky,0,0,0,\n", "sky has no value"),
    ):
        path.write_text(text)
        with pytest.raises(TfsegError, match=message):
            read_classes(path)
    with pytest.raises(TfsegError, match="can't read"):
        read_classes(tmp_path / "nothing.csv")


HEADS = st.lists(st.sampled_from(["name", "r", "green", "b", "blue", "index", "value", "", "x"]))
CELLS = st.sampled_from(["", "0", "1", "255", "-1", "sky", '"', "9" * 5000]) | st.text(max_size=4)
TABLES = st.tuples(HEADS | st.just(["name", "r", "g", "b", "value"]), st.lists(st.lists(CELLS)))


def test_any_class_table_is_read_or_refused(tmp_path):
    path = tmp_path / "colours.csv"

    @given(TABLES, st.binary(max_size=3), st.sampled_from([0, -1]), st.booleans())
    def read(table, end, shift, colours):
        lines = [",".join(row) for row in (table[0], *table[1])]
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + end)
        try:
            facts = read_classes(path, shift=shift, colours=colours)
        except TfsegError as error:
            assert len(str(error).splitlines()) == 1
        else:
            Dataset("mine", **facts)
            assert all(0 <= key <= 255 for key in facts.get("label_map") or ())

    read()


def test_class_weights():
    counts = np.array([[60, 40, 0, 0], [90, 0, 10, 0], [0, 0, 0, 0]])
    weights = class_weights(counts)
    # Frequencies in the images that show a class: 150/200, 40/100 and 10/100.
    np.testing.assert_allclose(weights["median_frequency"], [0.4 / 0.75, 1, 4, 0], rtol=1e-5)
    effective = weights["effective_number"]
    # Far below 1 / (1 - beta) images, weights are inverse to the number of pixels.
    np.testing.assert_allclose(effective[2] / effective[0], 15, rtol=2e-3)
    assert effective[3] == 0 and np.mean(effective[:3]) == pytest.approx(1, rel=1e-5)
    # Far beyond, they are all the same.
    many = class_weights(np.tile(counts, (20000, 1)))["effective_number"]
    np.testing.assert_allclose(many[:3], 1, rtol=0.3)


def test_class_weights_stand_in_info_json(tmp_path):
    source = tmp_path / "source"
    put(source / "images/a.png")
    put(source / "labels/a.png", [0, 1, 1, 255])
    info = prepare_folder(source, tmp_path / "out", classes=("a", "b"))[1]
    assert info.class_weights["median_frequency"] == pytest.approx([1.5, 0.75])
    assert DataInfo.load(tmp_path / "out") == info
    put(tmp_path / "out/labels/a.png", [0, 0, 0, 1])
    measured = measure_folder(tmp_path / "out")[1]
    assert measured.class_weights["median_frequency"] == pytest.approx([2 / 3, 2], rel=1e-5)
    assert measured.mean == info.mean
