import json

import pytest

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


def test_missing_file_says_how_to_compute_it(tmp_path):
    with pytest.raises(TfsegError, match=r"info\.json is missing.*prepare_data\.py"):
        DataInfo.load(tmp_path)


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
        ({"classes": ["a", "b"], "palette": [[0, 0, 0]]}, "1 colours for 2 classes"),
        ({"ignore_label": 256}, "ignore_label must be"),
        ({"ignore_label": True}, "ignore_label must be"),
        ({"label_map": {"x": 1}}, "label_map must map"),
        ({"label_map": {"300": 1}}, "label_map must map"),
        ({"label_map": [1, 2]}, "label_map must map"),
        ({"colour": 1}, "unknown entries: colour"),
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
