"""Flag files and recipes, from any folder."""

import pytest

from tfseg.cli.files import expand, list_recipes, recipes_dir
from tfseg.errors import TfsegError


def test_recipes_come_with_what_they_include_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = expand(["--seed=3", "--recipe=camvid/drn_d_22", "--epochs=2", "photo.jpg"])
    assert lines[0] == "--seed=3" and lines[-2:] == ["--epochs=2", "photo.jpg"]
    assert lines.index("--num_classes=11") < lines.index("--model=drn_d_22")
    assert not any(line.startswith(("#", "--recipe", "--flagfile")) for line in lines)
    assert expand(["--recipe", "camvid/drn_d_22.flags"]) == lines[1:-2]
    path = recipes_dir() / "camvid" / "drn_d_22.flags"
    assert expand([f"--flagfile={path}"]) == lines[1:-2]


def test_a_file_of_recipes_goes_by_the_folder_that_it_lies_in(tmp_path):
    for name, text in {
        "camvid/mine": "# a comment\n\n--recipe=base/camvid\n--flagfile=more.flags\n--steps=2\n",
        "camvid/more": "// another\n--seed=1\n",
        "base/camvid": "--data_dir=here\n",
    }.items():
        path = tmp_path / f"{name}.flags"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lines = expand([f"--flagfile={tmp_path}/camvid/mine.flags"])
    assert lines == ["--data_dir=here", "--seed=1", "--steps=2"]
    # What the folder hasn't got is among our own.
    (tmp_path / "camvid/mine.flags").write_text("--recipe=base/voc12\n", encoding="utf-8")
    assert "--num_classes=21" in expand([f"--flagfile={tmp_path}/camvid/mine.flags"])


def test_files_in_a_circle(tmp_path):
    (tmp_path / "a.flags").write_text("--flagfile=b.flags\n", encoding="utf-8")
    (tmp_path / "b.flags").write_text("--flagfile=a.flags\n", encoding="utf-8")
    with pytest.raises(TfsegError, match="names itself"):
        expand([f"--flagfile={tmp_path}/a.flags"])


def test_binary_flag_files(tmp_path):
    (tmp_path / "a.flags").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TfsegError, match="it isn't text in UTF-8"):
        expand([f"--flagfile={tmp_path}/a.flags"])


def test_after_two_dashes_nothing_is_a_flag():
    assert expand(["--", "--recipe=none"]) == ["--", "--recipe=none"]


def test_names():
    assert {"base/camvid", "camvid/drn_d_22"} <= set(list_recipes())
