"""Parts of a list: together they are it, whatever its length, and results meet in one place."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfseg
from tfseg.cli import main
from tfseg.data.prepare.sample import write_sample_dataset
from tfseg.data.prepare.stored import Stored, load_stored, save_stored
from tfseg.errors import TfsegError
from tfseg.parts import Part, PartFiles, interleave


@given(st.integers(1, 60), st.integers(0, 200))
def test_every_entry_is_in_one_part(count, more):
    total = count + more
    parts = [list(part.of(total)) for part in Part(1, count).all]
    assert sorted(place for places in parts for place in places) == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert interleave(parts) == list(range(total))


@given(st.integers(-3, 70), st.integers(-3, 60))
def test_text_and_numbers_mean_the_same(number, count):
    if 1 <= number <= count:
        assert Part.parse(f" {number}/{count} ") == Part(number, count)
    else:
        with pytest.raises(TfsegError):
            Part.parse(f"{number}/{count}")


@given(st.text(max_size=12))
def test_any_other_text_is_one_line(text):
    try:
        assert Part.parse(text).count >= 1
    except TfsegError as error:
        assert "part=" in str(error)


@given(st.integers(0, 9), st.integers(2, 20), st.integers(1, 4))
def test_a_slurm_arrays_tasks_are_the_parts(first, count, step):
    tasks = range(first, first + step * count, step)
    names = {"COUNT": count, "MIN": first, "MAX": tasks[-1], "STEP": step}
    facts = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in names.items()}
    found = [Part.of_slurm({**facts, "SLURM_ARRAY_TASK_ID": str(task)}) for task in tasks]
    assert found == Part(1, count).all
    with pytest.raises(TfsegError, match="gaps"):
        Part.of_slurm({**facts, "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MAX": "99"})


def test_no_array_is_no_part():
    alone = dict.fromkeys(("ID", "MIN", "MAX", "COUNT"), "1")
    assert Part.of_slurm({f"SLURM_ARRAY_TASK_{name}": one for name, one in alone.items()}) is None
    assert Part.of_slurm({}) is None


@pytest.mark.parametrize("verb", ["predict", "evaluate", "crf", "prepare"])
@pytest.mark.parametrize(
    ("text", "message"),
    [("3/2", "the number of a part is one of 1..2"), ("half", "as 2/8 for the second of eight")],
)
def test_a_wrong_part_is_one_line(verb, text, message, tmp_path, capsys):
    rest = {
        "predict": [f"--run_dir={tmp_path}", "0.png"],
        "evaluate": [f"--run_dir={tmp_path}", f"--data_dir={tmp_path}"],
        "crf": [f"--{name}={tmp_path}" for name in ("logits_dir", "data_dir", "output_dir")],
        "prepare": [str(tmp_path), f"--data_dir={tmp_path / 'new'}"],
    }
    assert main([verb, *rest[verb], f"--part={text}"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: --part={text}") and message in last


def test_results_of_something_else_do_not_count(tmp_path):
    what = {"key": "old"}
    files = PartFiles(str(tmp_path), Part(1, 2), lambda part: f"{what['key']} {part}", ".json")
    os.makedirs(tmp_path / "parts")
    for path in (files.path(), files.path(Part(2, 2))):
        open(path, "w").close()
    assert files.paths()[1] == ()
    what["key"] = "new"
    assert files.paths()[1] == (1, 2)
    open(files.path(), "w").close()
    files.tidy()
    assert files.paths()[1] == (2,) and len(os.listdir(tmp_path / "parts")) == 2


def contents(folder):
    """{name: bytes} of a data folder, less what the parts leave and where files come from."""
    return {
        os.path.relpath(path, folder): open(path, "rb").read()
        for parent, _, names in os.walk(folder)
        for name in names
        if "parts" not in (path := os.path.join(parent, name)).split(os.sep)
    }


def test_parts_of_a_preparation_make_the_same_folder(tmp_path):
    write_sample_dataset(str(tmp_path / "sample"), train=5, val=2, size=(24, 32))
    for kind in ("images", "labels"):
        shutil.copytree(tmp_path / "sample" / kind, tmp_path / "source" / kind)
    damaged = next((tmp_path / "source" / "images").rglob("*.*"))
    damaged.write_bytes(damaged.read_bytes()[:60])
    source = str(tmp_path / "source")
    whole = tfseg.prepare(source=source, data_dir=str(tmp_path / "out"))
    expected = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    found = [
        tfseg.prepare(source=source, data_dir=str(tmp_path / "out"), part=part)
        for part in reversed(Part(1, 3).all)
    ]
    assert [getattr(one, "missing", None) for one in found] == [(1, 2), (1,), None]
    assert found[-1].counts == whole.counts and found[-1].info == whole.info
    assert found[-1].skipped == whole.skipped and len(whole.skipped) == 1
    assert contents(tmp_path / "out") == expected
    with pytest.raises(TfsegError, match="`part` has no meaning"):
        tfseg.prepare("folder", str(tmp_path / "out"), part=Part(1, 2))


def test_what_was_stored_is_read_again(tmp_path):
    rows = [Stored("train", "a.png", "b.png", np.ones((3, 256)), np.arange(256))]
    rows.append(Stored("val", "c.png", error="it is damaged"))
    path = str(tmp_path / "x.npz")
    save_stored(path, rows)
    one, other = load_stored(path)
    assert (one.values == rows[0].values).all() and (one.counts == rows[0].counts).all()
    assert other == rows[1] and json.dumps(one.label) == '"b.png"'
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(TfsegError, match="damaged"):
        load_stored(path)
