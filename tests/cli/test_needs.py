"""A flag that does nothing with the others is refused, unless a recipe brought it."""

import re
import types

import pytest

from tfseg.cli import main, needs
from tfseg.cli.command import defined
from tfseg.cli.verbs import VERBS

ROWS = [
    pytest.param(verb, name, need, id=f"{verb} --{name} {need.other}")
    for verb in VERBS
    for name, several in needs.of(VERBS[verb].load()).items()
    for need in several
]


def stated(flag):
    """The flag with a value that it takes."""
    choices = getattr(flag.parser, "choices", None)
    if flag.boolean:
        return f"--{flag.name}"
    return f"--{flag.name}={choices[0] if choices else 1}"


@pytest.mark.parametrize("verb, name, need", ROWS)
def test_a_flag_does_something_or_is_refused(verb, name, need):
    for with_other in (True, False):
        _, flags, _ = defined(verb, [])
        # Alone: another need of the flag may not be met.
        module = types.SimpleNamespace(NEEDS={name: need})
        other = [need.other] if with_other else [need.against] if need.against else []
        words = [stated(flags[name]), *other]
        if need.other.startswith("--flip") and with_other:
            words = [need.other, stated(flags[name])]
        flags.parse(words)
        names = needs.typed(words, flags)
        assert name in names
        if with_other != need.beside:
            needs.refuse(module, flags, names)
        else:
            with pytest.raises(Exception, match=f"^--{name} does nothing "):
                needs.refuse(module, flags, names)


def test_it_is_one_line_before_anything_starts(capsys):
    assert main(["predict", "--run_dir=none", "--ids_of=camvid", "photo.jpg"]) == 1
    assert capsys.readouterr().err == "error: --ids_of does nothing without --outputs=ids\n"
    assert main(["predict", "--run_dir=none", "--camera=0", "--noprint_shares"]) == 1
    assert capsys.readouterr().err == "error: --print_shares does nothing beside --camera=0\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classify", "test", "--epochs=3"], "--epochs does nothing without train"),
        (["classify", "train", "--split=val"], "--split does nothing without test"),
        (["classify", "locate", "a.jpg", "--resize=9"], "--resize does nothing beside locate"),
        (["classify", "test", "--model=drn_d_22"], "--model does nothing without --weights=FILE"),
        (
            ["classify", "test", "--run_dir=a", "--weights=b"],
            "--run_dir does nothing beside --weights=FILE",
        ),
        (
            ["crf", "--run_dir=a", "--data_dir=b"],
            "--run_dir does nothing beside --data_dir=FOLDER",
        ),
        (
            ["benchmark", "--evaluation", "--data_dir=a", "--cache"],
            "--cache does nothing beside --evaluation",
        ),
        (
            ["export", "--output=x", "--height=9", "--width=9", "--max_side=9"],
            "--max_side does nothing beside --height=360",
        ),
    ],
)
def test_every_kind_of_a_verb_has_its_own_flags(words, message, capsys):
    assert main(words) == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def test_what_files_state_may_do_nothing(tmp_path):
    (tmp_path / "a.flags").write_text("--lr_schedule=poly\n--lr_power=0.5\n")
    own = [f"--flagfile={tmp_path}/a.flags", "--lr_schedule=cosine"]
    module, flags, words = defined("train", own)
    flags.parse(words)
    needs.refuse(module, flags, needs.typed(own, flags))
    assert flags.lr_power == 0.5
    with pytest.raises(Exception, match=re.escape("without --lr_schedule=poly")):
        needs.refuse(module, flags, needs.typed([*own, "--lr_power=1"], flags))


def test_names_of_flags_in_a_command_line():
    _, flags, _ = defined("predict", [])
    words = ["-noflip", "a.png", "--padding_constant", "8", "--", "--camera=0"]
    assert needs.typed(words, flags) == ["flip", "size_divisor"]


@pytest.mark.parametrize(
    ("words", "lengths"),
    [
        (["--recipe=camvid/drn_d_22"], (0, 12, 0)),
        (["--recipe=camvid/drn_d_22", "--steps=2"], (2, 0, 0)),
        (["--minutes=3", "--recipe=camvid/drn_d_22"], (0, 0, 3)),
        (["--recipe=camvid/drn_d_22", "--steps=0"], (0, 12, 0)),
        (["--epochs=1", "--steps=2"], (2, 1, 0)),  # which TrainConfig refuses
    ],
)
def test_a_recipes_length_gives_way_to_the_commands(words, lengths):
    module, flags, arguments = defined("train", words)
    flags.parse(arguments)
    needs.give_way(module, flags, needs.typed(words, flags))
    assert (flags.steps, flags.epochs, flags.minutes) == lengths
