"""The notebooks are run cell by cell, as Jupyter does, in little time."""

import ast
import pathlib
import re

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "docs" / "notebooks"
# What their first cells say, and what makes them quick.
SMALL = {
    "size, crop, steps = (128, 192), 128, 240": "size, crop, steps = (48, 64), 32, 2",
    "train=48": "train=8",
    "size, steps = 96, 60": "size, steps = 64, 4",
}


def cells(text):
    """The code cells of a notebook in jupytext's percent format."""
    parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    return [code for title, code in zip(parts[1::2], parts[2::2], strict=True) if not title.strip()]


def run(code, names):
    """Runs a cell; returns the value of its last line, which a notebook would show, or None."""
    tree = ast.parse(code)
    shown = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        shown = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "cell", "exec"), names)
    return shown and eval(compile(shown, "cell", "eval"), names)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pictures"), [("own_data.py", 2), ("backbone.py", 1)])
def test_a_notebook_runs_and_shows_pictures(name, pictures, tmp_path, monkeypatch):
    text = (FOLDER / name).read_text(encoding="utf-8")
    changed = [line for line in SMALL if line in text]
    assert changed
    for line in changed:
        text = text.replace(line, SMALL[line])
    monkeypatch.chdir(tmp_path)
    names = {}
    shown = [run(code, names) for code in cells(text)]
    assert sum(hasattr(value, "_repr_png_") for value in shown) == pictures


def test_every_notebook_is_run():
    assert {path.name for path in FOLDER.iterdir() if path.suffix == ".py"} == {
        "own_data.py",
        "backbone.py",
    }


def test_cells():
    text = "# %% [markdown]\n# words\n\n# %%\na = 1\n\n# %%\na + 1\n"
    names = {}
    assert [run(code, names) for code in cells(text)] == [None, 2]
