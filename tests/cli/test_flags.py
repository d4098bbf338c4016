"""Definition, parsing and spelling of flags."""

import fcntl
import io
import os
import pty
import struct
import sys
import tempfile
import termios

import pytest

from tfseg.cli import protocol, shared
from tfseg.cli.command import defined
from tfseg.cli.flags import Flags, define_common
from tfseg.errors import TfsegError
from tfseg.inference.protocol import PROTOCOLS, Protocol
from tfseg.training.config import TrainConfig


def test_paths_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    flags = Flags()
    flags.string("one", None, "A path.")
    flags.multi("many", None, "Paths.")
    paths = flags.parse(["--one=~/a.pth,~/b~.pth", "--many=~", "~/photos", "--many=x/~/y", "-"])
    assert paths == ["/home/me/photos", "-"]
    assert flags.one == "/home/me/a.pth,/home/me/b~.pth" and flags.many == ["/home/me", "x/~/y"]


def test_choices_with_commas_or_repeated():
    for arguments in (["--some=b, c", "--some=a"], ["--some=b", "--some=c,a"]):
        flags = Flags()
        flags.choices("some", ["a"], ["a", "b", "c"], "Which.")
        assert flags.some == ["a"]
        flags.parse(arguments)
        assert flags.some == ["b", "c", "a"]
    with pytest.raises(TfsegError, match="unknown --some 'd'"):
        flags.parse(["--some=a,d"])


def test_arguments_are_spelled_as_flags():
    flags = Flags()
    flags.integer("steps", 0, "Updates.")
    shared.define_model_option(flags)
    text = "`steps`, `steps=3`, `model_options=a` and `scale=2`, `no name`: steps"
    found = flags.spell(text)
    assert found == "--steps, --steps=3, --model_option=a and `scale=2`, `no name`: steps"


def test_sizes_of_a_protocol_are_spelled_as_flags():
    flags = Flags()
    protocol.define(flags)
    assert flags.spell("`scales`, `short_sides=3`") == "--eval_scales, --eval_short_sides=3"


@pytest.mark.parametrize(
    ("words", "stated"),
    [
        ([], None),
        (["--protocol=single_scale"], Protocol()),
        (["--flip"], Protocol(flip=True)),
        (["--protocol=deeplab_v3", "--noflip"], Protocol(scales=PROTOCOLS["drn"].scales)),
    ],
)
def test_a_protocol_is_stated_or_the_models_own(words, stated):
    flags = Flags()
    protocol.define(flags)
    flags.parse(words)
    assert protocol.read(flags) == stated


def test_earlier_names_of_flags_and_arguments_keep_working():
    flags = Flags()
    shared.define_config(flags, TrainConfig)
    define_common(flags)
    needed = {"data_dir": "d", "run_dir": "r", "model": "m", "steps": 1, "short_sides": (32,)}
    arguments = [f"--{name}={value}" for name, value in needed.items() if name != "short_sides"]
    flags.parse([*arguments, "--short_sides=32", "--padding_constant=16"])
    config = shared.read_config(flags, TrainConfig)
    assert config.size_divisor == 16
    assert config == TrainConfig(**needed, padding_constant=16)
    assert "--size_divisor=16\n" in config.to_flags()
    assert "padding_constant" not in config.to_flags()


@pytest.mark.parametrize("columns", [0, 80])
def test_bars_are_drawn_on_terminals_with_a_width(columns, monkeypatch):
    """One without, such as a container's before anyone looks at it, gets lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert shared.draws_bars() == (columns > 0)


@pytest.mark.parametrize("file", [io.StringIO, tempfile.TemporaryFile])
def test_bars_are_not_drawn_in_files(file, monkeypatch):
    with file() as opened:
        monkeypatch.setattr(sys, "stderr", opened)
        assert not shared.draws_bars()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_stands_while_its_work_goes_on(monkeypatch):
    """Nothing is drawn before or left behind, where something else may be printed."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shared.progress_bar("image") as progress:
        assert not terminal.getvalue()
        progress(1, 2)
        assert "0/2" in terminal.getvalue() and not terminal.getvalue().endswith("\r")
        progress(2, 2)
        assert terminal.getvalue().endswith("\r")
        progress(1, 3)
        progress(0, 4)  # of something else
        assert "0/3" in terminal.getvalue() and "0/4" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


@pytest.mark.parametrize("verb", ["crf", "evaluate"])
def test_processes_are_as_many_as_this_one_may_use_cores(verb, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert defined(verb, [])[1].jobs == 2
