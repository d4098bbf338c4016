"""The module, the commands and the script of `docs/extending.md` are run."""

import pathlib
import re
import runpy
import shlex
import sys

import pytest

from tfseg.cli import main
from tfseg.data import TRANSFORMS, write_sample_dataset
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.training import LOSSES, OPTIMIZERS, SCHEDULES

DOCS = pathlib.Path(__file__).parents[1] / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def rows_of_today(monkeypatch):
    """The rows that a test registers go again."""
    for table in (DECODERS, ENCODERS, LOSSES, OPTIMIZERS, SCHEDULES, TRANSFORMS):
        monkeypatch.setattr(table, "_rows", dict(table._rows))
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_rows", None)


@pytest.mark.slow
def test_parts_of_ones_own(rows_of_today, tmp_path, monkeypatch, capfd):
    """A module's rows from flag to result, and objects from Python."""
    write_sample_dataset(tmp_path / "data" / "sample", train=4, val=1, size=(48, 64))
    monkeypatch.chdir(tmp_path)
    module, script = blocks("extending.md", "python")[:2]
    pathlib.Path("my_rows.py").write_text(module, encoding="utf-8")
    for line in blocks("extending.md", "bash")[0].splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tfseg" and main(arguments) == 0, capfd.readouterr().err
    flags = (tmp_path / "runs" / "mine" / "config.flags").read_text()
    assert "--loss=brier,dice:0.5\n" in flags and "--optimizer=sign_sgd\n" in flags
    assert "mean IoU" in capfd.readouterr().out

    pathlib.Path("script.py").write_text(script, encoding="utf-8")
    assert runpy.run_path("script.py", run_name="script")["result"].step == 2
    flags = (tmp_path / "runs" / "objects" / "config.flags").read_text().splitlines()
    assert "--loss=tfseg.training.losses.pixel.Focal(gamma=1.5),dice:0.5" in flags
    assert "--transforms=script.darker,noise:5.0" in flags
    assert main(["train", "--flagfile=runs/objects/config.flags", "--steps=3"]) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert "--lr_schedule script.slower was an object, which Python alone can give" in error
