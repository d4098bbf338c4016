"""The command before its verbs do anything: help, errors, flag files, and what it imports."""

import os
import pathlib
import subprocess
import sys

import pytest

from tfseg.cli import VERBS, main
from tfseg.cli.command import defined
from tfseg.cli.flags import Flags

ROOT = pathlib.Path(__file__).parents[2]

# Parses a verb's flags and ends before the verb begins.
PARSE = """
import sys
from tfseg.cli import VERBS, main
module = VERBS[sys.argv[1]].load()
module.main = lambda *_: 0
assert main([sys.argv[1], "--help"]) == main([sys.argv[1], "--helpfull"]) == main(sys.argv[1:]) == 0
heavy = {"keras", "tensorflow", "tensorflow_datasets", "jax", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("verb", VERBS)
def test_flags_are_parsed_without_keras_and_tensorflow(verb, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PARSE, verb], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("given", [None, "false"])
def test_a_gpu_is_shared_unless_the_environment_says_otherwise(given, monkeypatch):
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    if given:
        monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", given)
    assert main(["--version"]) == 0
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == (given or "true")


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_one_screen_of_most_used_flags_and_all_on_demand(verb, capsys):
    assert main([verb, "--help"]) == 0
    short = capsys.readouterr().out
    assert len(short.splitlines()) <= 50 and max(map(len, short.splitlines())) <= 100
    assert short.startswith(f"tfseg {verb} ") and f"    tfseg {verb}" in short
    assert main([verb, "--helpfull"]) == 0
    full = capsys.readouterr().out
    module, flags = VERBS[verb].load(), Flags()
    module.define(flags)
    named = [name for names in module.GROUPS.values() for name in names.split()]
    assert len(named) == len(set(named))
    for name in flags:
        assert f"--{name}\n" in full or f"--[no]{name}\n" in full
    for name in named:
        assert f"--{name}=" in short or f"--[no]{name}" in short


def test_the_page_takes_a_run_as_other_verbs_do():
    flags = defined("app", [])[1]
    flags.parse(["--run_dir=runs/a,runs/b"])
    assert flags.models == ["runs/a", "runs/b"]


def test_what_is_found_can_be_had_as_json():
    """Of every verb but those that draw, serve or write a script."""
    without = {verb for verb in VERBS if "json" not in defined(verb, [])[1]}
    assert without == {"plot", "app", "demo", "completion"}


def test_the_overview_needs_nothing_of_others_but_absl():
    script = (
        "import sys; before = set(sys.modules); from tfseg.cli import main; main(['--help'])\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "assert new - sys.stdlib_module_names <= {'tfseg', 'absl'}, new - sys.stdlib_module_names"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_overview_lists_the_verbs(capsys):
    for arguments in ([], ["--help"], ["help"]):
        assert main(arguments) == 0
        text = capsys.readouterr().out
        assert all(f"  {name} " in text for name in VERBS) and len(text.splitlines()) <= 30
    assert main(["--version"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "unknown verb 'trian'; did you mean train"),
        (["--data_dir=x", "train"], "say what to do before any flag"),
        (["train", "--lerning_rate=1"], "unknown flag '--lerning_rate'; did you mean --learning_r"),
        (["train", "--nomiror"], "did you mean --nomirror"),
        (["train", "--lr_schedule=polly"], "unknown --lr_schedule 'polly'; did you mean poly"),
        (["train", "--steps=many"], "--steps=many"),
        (["evaluate", "--protocol=ade"], "did you mean ade20k"),
        (["predict", "--outputs=labels,colour"], "did you mean color"),
        (["train", "--recipe=camvid/drn_d_2"], "did you mean camvid/drn_d_22"),
        (["train", "--flagfile=nothing.flags"], "there is no flag file nothing.flags"),
        (["train", "--flagfile"], "--flagfile is missing its value"),
        (["train", "--import=no_such_module"], "--import=no_such_module: there is no such module"),
        (["train", "--steps=3"], "--data_dir is missing"),
        (["train", "--batch_size=0", "--data_dir=a", "--run_dir=b", "--model=c"], "--batch_size "),
        (["train", "--model_option=a"], "--model_option=a is not of the form key=value"),
        (["check", "--data_dir=/nowhere"], "no data folder /nowhere"),
        (["export", "--output=x", "--height=3"], "--height and --width belong together"),
        (["prepare", "--dataset=sample", "--data_dir=x", "--size=4x3"], "--size has no meaning"),
        (["models", "--grep=zzz"], "unknown part of a model's name 'zzz'"),
        (["plot", "photo"], "--output is missing"),
        (["evaluate", "--run_dir=nowhere"], "no run directory, weights file or release nowhere"),
        (["train", "--epoch=3"], "unknown flag '--epoch'; did you mean --epochs?"),
        (["evaluate", "--visualize=overlay"], "--visualize is on or off, --visualize or --novis"),
        (["prepare", "my/photos"], "add --data_dir=data/photos"),
        (["prepare", "my/photos", "--overlap=later"], "--overlap=later is now --on_top=later"),
        (["predict", "--helo"], "did you mean --help or --helpfull"),
        (["check", f"--data_dir={ROOT / 'flags'}"], "--source="),
        (["check", "photo"], "unexpected argument 'photo'"),
        (["classify", "tarin"], "unknown verb of classify"),
    ],
)
def test_what_is_wrong_ends_in_one_line_with_the_nearest(arguments, message, capsys):
    assert main(arguments) == 1
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert line.startswith("error: ") and message in line
    assert "`" not in line.replace("`tfseg", "") and not output.out


def test_an_error_tells_the_call_that_puts_it_right(tmp_path, capsys):
    pathlib.Path(tmp_path, "train_images.txt").write_text("a.png\n", encoding="utf-8")
    run = [f"--run_dir={tmp_path}/run", "--model=drn_d_22", "--steps=1"]
    assert main(["train", f"--data_dir={tmp_path}", *run]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(f"-m tfseg prepare --dataset=folder --data_dir={tmp_path}")


def test_modules_of_the_user_are_imported_before_the_flags_are_read(tmp_path, monkeypatch):
    (tmp_path / "my_rows.py").write_text(
        "from tfseg.training import SCHEDULES, LOSSES\n"
        "from tfseg.training.schedules import *\n"
        "import dataclasses\n"
        "SCHEDULES.register(dataclasses.replace(SCHEDULES['poly'], name='mine'))\n"
    )
    (tmp_path / "my.flags").write_text("--import=my_rows\n--lr_schedule=mine\n--nosuch=1\n")
    command = [sys.executable, "-m", "tfseg", "train", "--flagfile=my.flags"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "unknown flag '--nosuch'" in done.stderr, done.stderr


def test_modules_of_a_run_are_imported_with_it(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    run = tmp_path / "run"
    run.mkdir()
    for folder, name in ((tmp_path, "rows_beside_it"), (run, "rows_within_it")):
        (folder / f"{name}.py").write_text("")
    (run / "config.flags").write_text("--import=rows_beside_it\n# --import=earlier\n--seed=1\n")
    arguments = defined("evaluate", ["--run_dir", "run"])[2]
    assert arguments == ["--import=rows_beside_it", "--run_dir", "run"]
    assert sys.modules.pop("rows_beside_it")
    # Who names modules knows which.
    assert defined("evaluate", ["--run_dir=run", "--import=json"])[2][0] == "--run_dir=run"
    assert "rows_beside_it" not in sys.modules
    # What a run has in its own folder is data, even where the command is called in it.
    monkeypatch.chdir(run)
    for module, why in (("rows_within_it", "it lies in"), ("rows_of_no_one", "there is no")):
        (run / "config.flags").write_text(f"--import={module}\n")
        assert defined("evaluate", ["--run_dir=."])[2] == ["--run_dir=."]
        assert f"--import={module}: {why}" in caplog.text
        assert module not in sys.modules


def test_earlier_scripts_call_the_verbs():
    scripts = sorted((ROOT / "tools").glob("*.py"))
    assert len(scripts) >= 13
    for path in scripts:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) == 6 and any(f'script("{verb}")' in lines[-1] for verb in VERBS)
    command = [sys.executable, str(ROOT / "tools/check_data.py"), "--data_dir=/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == "error: there is no data folder /nowhere\n"
