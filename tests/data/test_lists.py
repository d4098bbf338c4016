import json

import pytest

from tfseg.data import read_split
from tfseg.errors import TfsegError


def write(folder, **lists):
    for name, text in lists.items():
        (folder / f"{name}.txt").write_bytes(text.encode())


def test_two_lists(tmp_path):
    write(tmp_path, train_images="a b.png\n\n  c/d.png\r\n", train_labels="x.png\ny.png")
    found = read_split(tmp_path, "train")
    assert found.names == ["a b.png", "c/d.png"]
    assert found.images == [str(tmp_path / "a b.png"), str(tmp_path / "c/d.png")]
    assert found.labels == [str(tmp_path / "x.png"), str(tmp_path / "y.png")]
    assert len(found) == 2


@pytest.mark.parametrize("name", ["val", "val_pairs"])
def test_list_of_pairs(tmp_path, name):
    write(tmp_path, **{name: "\ufeffa.png x.png\nb c.png\ty.png\n"})
    found = read_split(tmp_path, "val")
    assert found.names == ["a.png", "b c.png"]
    assert found.labels == [str(tmp_path / "x.png"), str(tmp_path / "y.png")]


def test_images_alone(tmp_path):
    write(tmp_path, test_images="a.png\n", other="b.png\n")
    assert read_split(tmp_path, "test", labels=False).labels is None
    assert read_split(tmp_path, "other", labels=False).names == ["b.png"]


def test_prefix_stands_for_the_folder(tmp_path):
    write(tmp_path, train="/Set/a/1.png /Set/b/1.png\n")
    found = read_split(tmp_path, "train", prefix="/Set/")
    assert found.images == [str(tmp_path / "a/1.png")]
    assert found.labels == [str(tmp_path / "b/1.png")]


def test_names_below_the_folder_are_relative_and_stems_never_lead_out(tmp_path):
    write(
        tmp_path, test_images=f"../../up.png\n/far/away.png\n{tmp_path}/in/side.png\n./a/../b.png"
    )
    found = read_split(tmp_path, "test", labels=False)
    assert found.names == ["../../up.png", "/far/away.png", "in/side.png", "b.png"]
    assert found.stems == ["up", "far/away", "in/side", "b"]
    assert found.images[1] == "/far/away.png"


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "no list of the split 'train'"),
        ({"train_images": "a.png\n"}, r"train_labels\.txt is missing"),
        ({"train_images": "\n \n", "train_labels": "x.png"}, r"train_images\.txt is empty"),
        ({"train_images": "a.png", "train_labels": ""}, r"train_labels\.txt is empty"),
        ({"train_images": "a\nb\n", "train_labels": "x\n"}, "lists 2 images, but .* lists 1 label"),
        ({"train": "a x\nb\n"}, r"train\.txt, line 2: .* found 1 part: b"),
        ({"train": "a x y\n"}, r"train\.txt, line 1: .* found 3 parts"),
    ],
)
def test_errors(tmp_path, lists, message):
    write(tmp_path, **lists)
    with pytest.raises(TfsegError, match=message):
        read_split(tmp_path, "train")


def test_not_text(tmp_path):
    for content, words in (
        (b"a x\nstra\xdfe.png", "line 2: .*not UTF-8"),
        (b"\xff\xfe\0", "UTF-16"),
    ):
        (tmp_path / "train.txt").write_bytes(content)
        with pytest.raises(TfsegError, match=words):
            read_split(tmp_path, "train")


def test_missing_folder(tmp_path):
    with pytest.raises(TfsegError, match="no data folder"):
        read_split(tmp_path / "nowhere", "train")


def odgt(**changes):
    entry = {"fpath_img": "a.jpg", "fpath_segm": "x.png", "width": 5, "height": 4, **changes}
    return json.dumps({key: value for key, value in entry.items() if value is not None}) + "\n"


@pytest.mark.parametrize(
    "file, split",
    [("val", "val"), ("validation", "val"), ("training", "train"), ("train", "train")],
)
def test_odgt(tmp_path, file, split):
    (tmp_path / f"{file}.odgt").write_text(odgt() + "\n" + odgt(fpath_img="b/c.jpg", width=7))
    found = read_split(tmp_path, split)
    assert found.names == ["a.jpg", "b/c.jpg"]
    assert found.labels == [str(tmp_path / "x.png")] * 2
    assert found.sizes == [(4, 5), (4, 7)]
    first = found.first(1)
    assert (first.names, first.sizes, len(first.labels)) == (["a.jpg"], [(4, 5)], 1)


def test_odgt_without_labels(tmp_path):
    (tmp_path / "test.odgt").write_text(odgt(fpath_segm=None))
    assert read_split(tmp_path, "test", labels=False).labels is None
    with pytest.raises(TfsegError, match="'fpath_segm' is missing"):
        read_split(tmp_path, "test")


@pytest.mark.parametrize(
    "line, words",
    [
        ("[1]", "JSON object"),
        ("{", "JSON object"),
        (odgt(width=None), "'width' is missing"),
        (odgt(height=0), "positive whole numbers"),
        (odgt(height=True), "positive whole numbers"),
        (odgt(fpath_segm=3), "paths must be text"),
    ],
)
def test_damaged_odgt(tmp_path, line, words):
    (tmp_path / "val.odgt").write_text(odgt() + line)
    with pytest.raises(TfsegError, match=f"val.odgt, line 2: .*{words}"):
        read_split(tmp_path, "val")
