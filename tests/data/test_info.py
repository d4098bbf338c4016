import json
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.data import DataInfo
from tfseg.errors import TfsegError

GOOD = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}


def test_original_form_loads(tmp_path):
    (tmp_path / "info.json").write_text(json.dumps(GOOD))
    info = DataInfo.load(tmp_path)
    assert info.mean == (0.1, 0.2, 0.3)
    assert info.std == (0.4, 0.5, 0.6)
    assert info.classes is None and info.palette is None and info.label_map is None
    assert info.ignore_label == 255


def test_save_and_load_agree(tmp_path):
    info = DataInfo(
        **GOOD, classes=["a", "b"], palette=[(1, 2, 3), (4, 5, 6)], label_map={7: 0, 9: 1, 0: 255}
    )
    info.save(tmp_path)
    assert DataInfo.load(tmp_path) == info


def test_a_folder_of_something_else_says_how_to_make_one_of_it(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(TfsegError, match=r"photos is no data folder: ") as caught:
        DataInfo.load(photos)
    assert caught.value.remedy == ("prepare", {"source": photos, "data_dir": "data/photos"})


def test_missing_file_says_how_to_compute_it(tmp_path):
    (tmp_path / "train_images.txt").write_text("a.png\n")
    with pytest.raises(TfsegError, match=r"info\.json is missing.*preparing the folder") as caught:
        DataInfo.load(tmp_path)
    # The command prints the call; from Python it is data.
    assert caught.value.remedy == ("prepare", {"dataset": "folder", "data_dir": tmp_path})


def test_missing_folder(tmp_path):
    with pytest.raises(TfsegError, match=r"no data folder .*nowhere"):
        DataInfo.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": [0.1, 0.2]}, "mean must be three"),
        ({"mean": [110, 120, 130]}, "mean must be three fractions"),
        ({"mean": ["a", "b", "c"]}, "mean must be three"),
        ({"mean": [0.1, float("nan"), 0.2]}, "mean must be three"),
        ({"std": [0.1, 0.0, 0.1]}, "std must be positive"),
        ({"classes": "road"}, "classes must be a list"),
        ({"classes": []}, "classes must be a list"),
        ({"palette": [[0, 0, 256]]}, "palette must be"),
        ({"classes": ["a", "b"], "palette": [[0, 0, 0]]}, "1 colour for 2 classes"),
        ({"ignore_label": 256}, "ignore_label must be"),
        ({"ignore_label": True}, "ignore_label must be"),
        ({"label_map": {"x": 1}}, "label_map must map"),
        ({"label_map": {"300": 1}}, "label_map must map"),
        ({"label_map": [1, 2]}, "label_map must map"),
        ({"colour": 1}, "unknown entries: colour"),
        ({"classes": ["disc", "ball", "disc"]}, "classes 0 and 2 are both called 'disc'"),
        ({"classes": ["a", ["b"]]}, "classes must be a list of names"),
        ({"classes": ["\ud800"]}, "classes must be a list of names"),
        ({"label_map": {"1": 1, "01": 0}}, "names a label value twice"),
        ({"ignore_label": 10**400}, "ignore_label must be"),
        ({"mean": [0.1, 0.2, 10**4000]}, "mean must be three"),
    ],
)
def test_impossible_entries(tmp_path, change, message):
    (tmp_path / "info.json").write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(TfsegError, match=message) as caught:
        DataInfo.load(tmp_path)
    assert "info.json" in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{}", '{"mean": [0, 0, 0]}'])
def test_incomplete(tmp_path, text):
    (tmp_path / "info.json").write_text(text)
    with pytest.raises(TfsegError, match="mean and std"):
        DataInfo.load(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_windows_writes_is_read(tmp_path, encoding):
    text = json.dumps({**GOOD, "classes": ["Stra\u00dfe"]}, ensure_ascii=False)
    (tmp_path / "info.json").write_text(text, encoding=encoding)
    assert DataInfo.load(tmp_path).classes == ["Stra\u00dfe"]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"[" * 100_000, "not valid JSON: lists and objects are nested too deeply"),
        (b'{"mean": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"mean": [1],}', "not valid JSON: .* at line 1, column 14"),
        (b'{"classes":\n["stra\xdfe"]}', r"line 2: text that is not UTF-8: b'\[\"stra"),
        (b'{"mean": ' + b"[" * 500 + b"]" * 500 + b', "std": 1}', "mean must be three"),
    ],
)
def test_damaged_files(tmp_path, content, words):
    (tmp_path / "info.json").write_bytes(content)
    with pytest.raises(TfsegError, match=words) as caught:
        DataInfo.load(tmp_path)
    assert len(str(caught.value)) < 400


NAMED = {**GOOD, "classes": ["ground", "disc", "square"], "palette": [[0, 0, 0]] * 3}
PLAIN = json.dumps(NAMED)


@pytest.mark.parametrize(
    "content, words",
    [
        ({"mean": [89.0, 76.0, 88.0], "std": [40.0, 20.0, 40.0]}, "mean must be three fractions"),
        ({"mean": 0.5}, "mean must be three fractions"),
        ({"mean": [0.5], "std": [0.2]}, "mean must be three fractions"),
        ({"std": [0.2, 0.0, 0.2]}, "std must be positive"),
        ({"classes": ["ground", "disc", "disc"]}, "classes 1 and 2 are both called 'disc'"),
        ({"classes": 3}, "classes must be a list of names"),
        ({"classes": {"0": "ground", "1": "disc", "2": "square"}}, "classes must be a list"),
        ({"palette": ["#000000", "#C82828", "#283CDC"]}, "palette must be a list of"),
        ({"palette": [[0, 0, 0], [0.78, 0.15, 0.15], [0.1, 0.2, 0.8]]}, "palette must be a list"),
        ({"ignore_label": -1}, "ignore_label must be a value in 0..255"),
        ({"ignore_label": None}, "ignore_label must be a value in 0..255"),
        ({"num_classes": 3}, "unknown entries: num_classes; it may have mean"),
        (f"// mine\n{PLAIN}".encode(), "not valid JSON: .*line 1, column 1"),
        (f"{PLAIN[:-1]},}}".encode(), "not valid JSON: .*line 1"),
        ({"classes": ['ground, "soil"', "disc", "quadrat été"]}, None),
        (PLAIN.encode("utf-8-sig"), None),
        (PLAIN.encode("utf-16"), None),
    ],
)
def test_what_people_write_by_hand(tmp_path, content, words):
    if isinstance(content, dict):
        content = json.dumps({**NAMED, **content}).encode()
    (tmp_path / "info.json").write_bytes(content)
    if words is None:
        assert len(DataInfo.load(tmp_path).classes) == 3
        return
    with pytest.raises(TfsegError, match=words) as caught:
        DataInfo.load(tmp_path)
    assert "info.json" in str(caught.value) and "\n" not in str(caught.value)


VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-9, 300), st.integers(), st.floats(0, 1)),
        *(st.floats(), st.text(max_size=4)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.integers(0, 300).map(str) | st.text(max_size=4), inner, max_size=3),
    ),
    max_leaves=8,
)
FRACTIONS = st.lists(st.floats(0.01, 1), min_size=3, max_size=3)
ENTRIES = st.fixed_dictionaries(
    {"mean": FRACTIONS | VALUES, "std": FRACTIONS | VALUES},
    optional=dict.fromkeys(
        ["classes", "palette", "ignore_label", "label_map", "class_weights"], VALUES
    ),
)


def test_any_file_is_read_or_refused():
    with tempfile.TemporaryDirectory() as folder:

        @given(ENTRIES.map(json.dumps).map(str.encode) | st.binary(max_size=30))
        def read(content):
            with open(f"{folder}/info.json", "wb") as file:
                file.write(content)
            try:
                info = DataInfo.load(folder)
            except TfsegError as error:
                assert len(str(error).splitlines()) == 1
            else:
                info.save(folder)
                assert DataInfo.load(folder) == info

        read()
