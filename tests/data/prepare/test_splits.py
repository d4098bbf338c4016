"""Folders of images and label maps that match by name, with and without folders of splits."""

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, read_split
from tfseg.data.prepare.formats.found import Options
from tfseg.data.prepare.source import carry_out, plan
from tfseg.errors import TfsegError


def prepare_folder(source, data_dir, val_share=0.0, **names):
    return carry_out(plan(source, "folder", Options(**names), val_share=val_share), data_dir)


def draw(source, *names):
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        values = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
        Image.fromarray(values).save(source / name)


def names(folder):
    return {
        split: read_split(folder, split, labels=False).names
        for split in ("train", "val", "test")
        if (folder / f"{split}_images.txt").exists()
    }


@pytest.mark.parametrize("images, labels", [("images", "labels"), ("img_dir", "ann_dir")])
@pytest.mark.parametrize("form", ["{kind}/{split}", "{split}/{kind}"])
@pytest.mark.parametrize("train, val", [("train", "val"), ("Training", "VALID")])
def test_splits_by_folder(tmp_path, images, labels, form, train, val):
    for kind in (images, labels):
        for split, name in ((train, "0.png"), (train, "a/1.png"), (val, "0.png")):
            draw(tmp_path / "source", f"{form.format(kind=kind, split=split)}/{name}")
    prepare_folder(tmp_path / "source", tmp_path / "out")
    assert names(tmp_path / "out") == {
        "train": [f"images/{train}/0.png", f"images/{train}/a/1.png"],
        "val": [f"images/{val}/0.png"],
    }


def test_test_images_need_no_labels(tmp_path):
    draw(tmp_path / "source", "images/train/0.png", "labels/train/0.png", "images/test/1.png")
    counts, _ = prepare_folder(tmp_path / "source", tmp_path / "out")
    assert counts == {"train": 1, "test": 1}
    assert not (tmp_path / "out/test_labels.txt").exists()


@pytest.mark.parametrize(
    "more, share, words",
    [
        (["images/9.png", "labels/9.png"], 0, "images/9.png lies in none of the folders of splits"),
        ([], 0.5, "`val_share` has no meaning"),
        (["images/valid/0.png"], 0, "two images of one name"),
    ],
)
def test_what_has_no_plain_meaning(tmp_path, more, share, words):
    both = [f"{kind}/{split}/0.png" for kind in ("images", "labels") for split in ("train", "val")]
    draw(tmp_path / "source", *both, *more)
    with pytest.raises(TfsegError, match=words):
        prepare_folder(tmp_path / "source", tmp_path / "out", val_share=share)


def test_a_further_call_adds_a_split(tmp_path):
    both = [f"{kind}/{split}/0.png" for kind in ("images", "labels") for split in ("train", "val")]
    draw(tmp_path / "source", *both)
    for split in ("train", "val"):
        prepare_folder(
            tmp_path / "source",
            tmp_path / "out",
            images=f"images/{split}",
            labels=f"labels/{split}",
        )
        if split == "train":
            first = DataInfo.load(tmp_path / "out")
    assert names(tmp_path / "out") == {s: [f"images/{s}/0.png"] for s in ("train", "val")}
    assert DataInfo.load(tmp_path / "out").mean == first.mean


def test_a_further_call_loses_no_list(tmp_path):
    draw(tmp_path / "a", "images/0.png", "labels/0.png", "images/1.png", "labels/1.png")
    draw(tmp_path / "b", "images/2.png", "labels/2.png")
    prepare_folder(tmp_path / "a", tmp_path / "out", val_share=0.5)
    with pytest.raises(TfsegError, match="1 image of the split train already, of which 1 would"):
        prepare_folder(tmp_path / "b", tmp_path / "out")
    assert sum(map(len, names(tmp_path / "out").values())) == 2
    prepare_folder(tmp_path / "a", tmp_path / "out")
    assert names(tmp_path / "out") == {"train": ["images/0.png", "images/1.png"]}


@pytest.mark.parametrize("share", [0, 0.5])
def test_copies_of_one_source_never_replace_those_of_another(tmp_path, share):
    for source in "ab":
        draw(tmp_path / source, *(f"{k}/{n}.png" for k in ("images", "labels") for n in range(2)))
    other = np.arange(24, dtype=np.uint8).reshape(4, 6)
    for number in range(2):
        Image.fromarray(other).save(tmp_path / f"b/images/{number}.png")
    prepare_folder(tmp_path / "a", tmp_path / "out")
    before = (tmp_path / "out/images/0.png").read_bytes()
    with pytest.raises(
        TfsegError, match=r"copies from .*/a of the same names, .*out/images/0"
    ) as e:
        prepare_folder(tmp_path / "b", tmp_path / "out", val_share=share)
    assert "\n" not in str(e.value) and (tmp_path / "out/images/0.png").read_bytes() == before
    # The same source is prepared again however it is named, another where nothing is listed.
    (tmp_path / "link").symlink_to(tmp_path / "a")
    prepare_folder(tmp_path / "link", tmp_path / "out", val_share=share)
    for path in (tmp_path / "out").glob("*.txt"):
        path.unlink()
    prepare_folder(tmp_path / "b", tmp_path / "out", val_share=share)
    assert (tmp_path / "out/images/0.png").read_bytes() != before
    (tmp_path / "out/sources.json").write_text("[]")
    with pytest.raises(TfsegError, match=r"sources\.json doesn't hold"):
        prepare_folder(tmp_path / "b", tmp_path / "out")
