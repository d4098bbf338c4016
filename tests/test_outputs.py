"""Names of results: what they are for usual names, and what holds for any."""

import os
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.errors import TfsegError
from tfseg.outputs import OutputFolder, folder_names, require_apart, require_plain, stems

LONG = "ä" * 127 + ".png"  # 258 bytes


@pytest.mark.parametrize(
    "names, expected",
    [
        (["a.png", "b/c.d.jpg", "b/e"], ["a", "b/c.d", "b/e"]),
        (["日本/写真 1.jpg", "Straße.png", "e\u0301.png"], ["日本/写真 1", "Straße", "e\u0301"]),
        (["//home/me/x.png", "///x.png"], ["home/me/x", "x"]),
        (["../../../tmp/x.png", "a/../../../b.png", "a/b/../c.png"], ["tmp/x", "b", "a/c"]),
        (["C:\\photos\\x.png", "d:y.png", "\\\\server\\z.png"], ["C/photos/x", "d/y", "server/z"]),
        (["gs://bucket/a.png", "file:///b.png"], ["bucket/a", "b"]),
        (["a\0b.png", "c\td\x7f\u2028.png", "e\ud800.png"], ["a_b", "c_d__", "e_"]),
        ([".."], ["_"]),
        (["", "a/. ./b.png"], ["_", "a/_/b"]),
        ([".hidden", ".png", "~/x.png"], [".hidden", ".png", "~/x"]),
        # Extensions alone tell them apart.
        (["a.jpg", "a.png", "b.png"], ["a.jpg", "a.png", "b"]),
        (["a.jpg", "a.png", "a.jpg.png"], ["a~8879e5c4", "a.png", "a.jpg.png"]),
        # A file of the results would be a folder of them.
        (["x.jpg", "X.png/y.jpg"], ["x.jpg", "X.png/y"]),
    ],
)
def test_names(names, expected):
    assert stems(names) == expected


def test_names_that_would_meet():
    twice = stems(["a.png", "b.png", "a.png"])
    assert twice[:2] == ["a", "b"] and twice[2].startswith("a~")
    for pair in (["A.png", "a.png"], ["é.png", "e\u0301.png"], ["../x.png", "x.png"]):
        first, second = stems(pair)
        assert first.partition("~")[0].lower() in ("a", "é", "x")
        assert first != second
    # The order is of no concern.
    names = ["A.png", "a.png", "b.png", "a.jpg"]
    assert stems(names[::-1]) == stems(names)[::-1]


def test_long_names_are_cut_and_stay_apart(tmp_path):
    found = stems([LONG, LONG[:-5] + "b.png", f"{LONG}/{LONG}/x.png"])
    assert len(set(found)) == 3 and all(one.startswith("ä" * 99) for one in found)
    for stem in found:
        path = tmp_path / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (deep,) = stems([f"{'x' * 190}/" * 30 + "y.png"])
    assert len(deep) < 20


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "c:d", "\n", "x" * 300])
def test_names_that_must_be_plain(name):
    with pytest.raises(TfsegError, match=r"the split .* can't be part of a file's name"):
        require_plain(name, "split")
    require_plain("train.2 ä", "split")


def test_folders_of_classes():
    found = folder_names(["cat", "Cat", "..", "a/b", "a_b", "Mr. Smith", "x:y", "cat"])
    assert len({one.lower() for one in found}) == 8
    assert found[2] == "_" and found[5:7] == ["Mr. Smith", "x_y"]
    assert not any("/" in one for one in found)


# What leads astray, in any order, beside the usual.
PARTS = st.sampled_from(
    [
        *("..", ".", "/", "//", "\\", "C:", "c:", "gs://", "~", "\0", "\n", " ", ". .", "_"),
        *("a", "A", "b", "ä", "A\u0308", "s", "\u017f", "日本", "x" * 254, "~8879e5c4"),
        *(".png", ".PNG", ".jpg", ".npz", "x.png/"),
    ]
)
NAMES = st.lists(
    st.one_of(
        st.lists(PARTS, max_size=6).map("".join),
        st.text(max_size=20),
        st.text(st.characters(exclude_categories=[]), max_size=5),
        st.text(string.printable, min_size=200, max_size=300),
    ),
    max_size=12,
)


def folded(text):
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


@given(NAMES)
def test_any_names(names):
    found = stems(names)
    assert len({folded(one) for one in found}) == len(names)
    files = {folded(f"{one}{ending}") for one in found for ending in (".png", ".npz", ".jpg")}
    for stem in found:
        parts = stem.split("/")
        assert not any("\\" in part or not part.strip(". ") for part in parts)
        assert all(len(part.encode()) <= 255 - 30 for part in parts)
        assert not any(ord(character) < 32 or character == "\x7f" for character in stem)
        assert not os.path.isabs(stem) and os.path.normpath(stem) == stem
        folders = {"/".join(parts[:count]) for count in range(1, len(parts))}
        assert not {folded(one) for one in folders} & files
    assert stems(names) == found


@given(NAMES)
def test_any_folders(names):
    found = folder_names(names)
    assert len({folded(one) for one in found}) == len(names)
    assert not any(one in ("", ".", "..") or "/" in one or "\\" in one for one in found)


@given(st.data())
def test_any_names_can_be_written(tmp_path_factory, data):
    names = data.draw(NAMES)
    folder = tmp_path_factory.mktemp("names") / "out"
    for stem in stems(names):
        path = OutputFolder(folder).path(f"{stem}.png")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "x"):
            pass
    written = [file for _, _, files in os.walk(folder.parent) for file in files]
    inside = [file for _, _, files in os.walk(folder) for file in files]
    assert len(inside) == len(written) == len(names)


def test_links_are_not_followed_out_of_the_folder(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / "real").mkdir(parents=True)
    (out / "labels").symlink_to(elsewhere)
    (out / "inside").symlink_to(out / "real")
    with pytest.raises(TfsegError, match=r"out/labels/a.png would be written to .*elsewhere: a"):
        OutputFolder(out).path("labels/a.png")
    with pytest.raises(TfsegError, match="a link leads out"):
        OutputFolder(out).path("labels/b/a.png")
    assert OutputFolder(out).path("inside/a.png") == str(out / "inside/a.png")
    # The folder itself may be one.
    (tmp_path / "link").symlink_to(out)
    assert OutputFolder(tmp_path / "link").path("real/a.png")
    assert OutputFolder("/").path("a.png") == "/a.png"


def test_no_input_is_written_over(tmp_path):
    image, other = tmp_path / "a.png", tmp_path / "out" / "b.png"
    other.parent.mkdir()
    image.write_text("image")
    other.write_text("of an earlier run")
    (tmp_path / "link.png").symlink_to(image)
    (tmp_path / "out" / "c.png").symlink_to(image)
    for source in (image, tmp_path / "link.png"):
        inputs = [tmp_path / "missing.png", "gs://bucket/a.png", "\0", source]
        folder = OutputFolder(tmp_path, inputs)
        with pytest.raises(TfsegError, match=r"a.png is one of the files that are read"):
            folder.path("a.png")
        with pytest.raises(TfsegError, match=r"c.png is one of the files that are read"):
            folder.path("out/c.png")
        assert folder.path("out/b.png") == str(other)
        with pytest.raises(TfsegError, match=r"a.png is one of the files that are read"):
            require_apart(image, inputs)
        require_apart(tmp_path / "new.png", inputs)
