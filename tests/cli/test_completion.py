"""Completion, asked of a real shell."""

import contextlib
import shutil
import subprocess

import pytest

from tfseg.cli import main
from tfseg.cli.command import defined
from tfseg.cli.verbs import VERBS


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "tfseg.bash"
    with path.open("w") as file, contextlib.redirect_stdout(file):
        assert main(["completion", "bash"]) == 0
    return path


def complete(script, *words):
    """What bash offers for the last of the words, split as its line editor splits them."""
    ask = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tfseg; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "-c", ask, "bash", str(script), *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not result.stderr
    return result.stdout.split()


pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


def test_verbs(script):
    assert complete(script, "tfseg", "") == list(VERBS)
    assert complete(script, "tfseg", "pre") == ["prepare", "predict"]


def test_flags_of_every_verb(script):
    for verb in ("predict", "train", "check"):
        _, flags, _ = defined(verb, [])
        offered = complete(script, "tfseg", verb, "--")
        for name in flags:
            assert (f"--{name}" if flags[name].boolean else f"--{name}=") in offered
    assert complete(script, "tfseg", "predict", "--no") == [
        "--noflip",
        "--nocrf",
        "--noprint_shares",
        "--noscenes",
    ]


def test_values(script):
    assert "overlay" in complete(script, "tfseg", "predict", "--outputs", "=", "")
    assert complete(script, "tfseg", "predict", "--outputs", "=") == [
        *("labels", "color", "overlay", "panel", "ids"),
    ]
    # zsh splits no words at "=".
    assert complete(script, "tfseg", "predict", "--outputs=labels,ov") == [
        "--outputs=labels,overlay"
    ]
    assert "camvid/drn_d_22" in complete(script, "tfseg", "train", "--recipe", "=", "cam")
    assert complete(script, "tfseg", "train", "--model", "=", "drn_d_22") == ["drn_d_22"]
    for flag in ("--models", "--run_dir"):
        assert "drn_d_22" not in complete(script, "tfseg", "app", flag, "=", "drn_d_22")
    assert complete(script, "tfseg", "app", "--models", "=", "drn_d_22_c") == [
        "drn_d_22_cityscapes"
    ]


def test_files_where_nothing_is_known(script):
    assert complete(script, "tfseg", "predict", "--output_dir", "=", "x") == []
    ask = ["bash", "-c", f'source "{script}"; complete -p tfseg']
    assert "-o default" in subprocess.run(ask, capture_output=True, text=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_name_all_verbs_and_parse(shell, capsys):
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert (
        all(verb in text for verb in VERBS) and "--init_weights" in text
    ) or "-l init_weights" in text
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_another_shell(capsys):
    assert main(["completion", "bsh"]) == 1
    assert "did you mean bash or zsh" in capsys.readouterr().err
    assert main(["completion"]) == 1
    assert capsys.readouterr().err == "error: name one shell: bash, zsh or fish\n"
