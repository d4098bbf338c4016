"""Lists as people's editors, scripts and exporters write them."""

import json
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.data import read_split
from tfseg.data.entries import FOLDERS
from tfseg.errors import TfsegError

A, B = "images/0.png", "images/1.png"
X, Y = "labels/0.png", "labels/1.png"
SPACED = "my images/a b.png"


@pytest.fixture
def folder(tmp_path):
    for name in (A, B, X, Y, SPACED):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def found(folder):
    """What the list "train" means: (images, label maps) relative to the folder."""
    split = read_split(folder, "train")
    assert split.names == [path.removeprefix(f"{folder}/") for path in split.images]
    return split.names, [path.removeprefix(f"{folder}/") for path in split.labels]


@pytest.mark.parametrize(
    "text, images",
    [
        (f"{A}\r\n{B}\r\n", [A, B]),
        (f"{A}\r{B}\r", [A, B]),
        (f"{A},\n{B},\n", [A, B]),
        (f"# mine\n{A}\n{B}", [A, B]),
        (f"image\n{A}\n{B}", [A, B]),
        (f'"{SPACED}"\n{B}', [SPACED, B]),
        (f"{SPACED}\n\n{B}\n\n", [SPACED, B]),
        ("images\\0.png\nimages\\1.png", [A, B]),
        (f"/{A}\n./{B}", [A, B]),
        (f"{A}\nimages/../{B}", [A, B]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_name_a_line(folder, text, images, encoding):
    (folder / "train_images.txt").write_bytes(text.encode(encoding))
    (folder / "train_labels.txt").write_text(f"{X}\n{Y}\n")
    assert found(folder) == (images, [X, Y])


@pytest.mark.parametrize(
    "text, images, labels",
    [
        (f"{A},{X}\n{B},{Y}\n", [A, B], [X, Y]),
        (f"{A}, {X}\n{B} , {Y},\n", [A, B], [X, Y]),
        (f"image,label\n{A},{X}\n{B},{Y}", [A, B], [X, Y]),
        (f"# image label\n{A} {X}\n", [A], [X]),
        (f"/{A} /{X}\n/{B} /{Y}\n", [A, B], [X, Y]),
        (f"{SPACED} {X}\n", [SPACED], [X]),
        (f'"{SPACED}" "{X}"\n{B} "{Y}"', [SPACED, B], [X, Y]),
        (f'"{SPACED}","{X}"\n', [SPACED], [X]),
        (f"{SPACED}\t{X}\n", [SPACED], [X]),
        ("0\n1\n", [A, B], [X, Y]),
    ],
)
def test_pairs(folder, text, images, labels):
    (folder / "train.txt").write_text(text)
    assert found(folder) == (images, labels)


@pytest.mark.parametrize(
    "text, words",
    [
        ("nowhere/a b.png labels/0.png", "line 1: .* found 3 parts: nowhere.*a comma or quotes"),
        (f"{A} {X}\n2\n", "line 2: .* found 1 part: 2"),
        (f"{A} {X}\n{B} a\0b", "line 2: a name with a character that names can't have"),
        ("# nothing\n", "is empty: it lists no image"),
    ],
)
def test_what_is_not_plain_is_refused(folder, text, words):
    (folder / "train.txt").write_text(text)
    with pytest.raises(TfsegError, match=words):
        read_split(folder, "train")


def test_deeplabs_lists_of_voc(tmp_path):
    lines = []
    for number in range(2):
        names = f"JPEGImages/{number}.jpg", f"SegmentationClassAug/{number}.png"
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        lines.append("/{} /{}\n".format(*names))
    (tmp_path / "train.txt").write_text("".join(lines))
    assert found(tmp_path)[0] == ["JPEGImages/0.jpg", "JPEGImages/1.jpg"]
    (tmp_path / "train.txt").write_text("0\n1\n")
    assert found(tmp_path)[1] == ["SegmentationClassAug/0.png", "SegmentationClassAug/1.png"]


def test_a_path_that_is_not_below_the_folder_stays(folder):
    (folder / "test_images.txt").write_text("/images/9.png\n/far/0.png\n~/0.png\na\\b.png")
    images = read_split(folder, "test", labels=False).images
    assert images[:2] == ["/images/9.png", "/far/0.png"]
    assert "~" not in images[2] and images[3] == f"{folder}/a\\b.png"


def test_the_folders_of_a_pair_differ():
    assert all(images != labels for images, labels in FOLDERS)


LINES = st.lists(
    st.one_of(
        st.sampled_from([A, f"{A} {X}", f"{A}\t{X}", '"', ",", "#", "\\", "/", "~", "\0", "://"]),
        st.text(max_size=12),
    ),
    max_size=5,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("fpath_img", "fpath_segm", "width", "height"), JSON)
)
TEXTS = st.one_of(
    LINES.map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass")),
    LINES.map("\r\n".join).map(lambda text: text.encode("utf-16", "surrogatepass")),
    st.binary(max_size=40),
)
ODGT = st.lists(ENTRIES.map(json.dumps), min_size=1, max_size=3).map("\n".join).map(str.encode)
SHARDS = st.lists(st.tuples(*[st.text(max_size=3) | st.integers().map(str)] * 5), max_size=3)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(
    "name, contents",
    [
        ("train_images.txt", TEXTS),
        ("train.txt", TEXTS),
        ("train.odgt", ODGT | TEXTS),
        ("train_shards.txt", SHARDS.map(lambda rows: "\n".join(map("\t".join, rows)).encode())),
    ],
)
def test_any_list_is_read_or_refused(name, contents, labels):
    with tempfile.TemporaryDirectory() as folder:

        @given(contents)
        def read(content):
            for file in (name, "train_labels.txt"):
                with open(f"{folder}/{file}", "wb") as out:
                    out.write(content)
            try:
                split = read_split(folder, "train", labels=labels)
            except TfsegError as error:
                assert len(str(error).splitlines()) == 1, str(error)
            else:
                assert len(split.names) == len(split.images) > 0
                assert all(type(path) is str and path.encode() for path in split.images)

        read()


@pytest.mark.parametrize("line", ["[" * 100_000, '{"width": 1' + "0" * 5000 + "}"])
def test_deep_and_huge_json_is_refused(tmp_path, line):
    (tmp_path / "train.odgt").write_text(line)
    with pytest.raises(TfsegError, match=r"train\.odgt, line 1: expected a JSON object"):
        read_split(tmp_path, "train")
