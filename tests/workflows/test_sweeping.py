"""Studies: which runs there are, what is left to do, and how they end."""

import json
import pathlib

import pytest

from tfseg import workflows
from tfseg.cli import main
from tfseg.errors import TfsegError
from tfseg.workflows import sweeping

VARIANTS = [
    workflows.Variant("regular"),
    workflows.Variant("mean", ("--model_option=dilated_type=average_filter",)),
]


class Process:
    """A training or evaluation that takes `polls` looks and ends with `returncode`."""

    def __init__(self, polls=1, returncode=0):
        self.polls, self.returncode, self.stopped = polls, returncode, False

    def poll(self):
        self.polls -= 1
        return None if self.polls > 0 else self.returncode

    def terminate(self):
        self.stopped = True

    def wait(self, timeout):
        assert self.stopped


class Command:
    """Stands for starting `tfseg`: an evaluation writes the run's score."""

    def __init__(self, fails=(), code=1):
        self.calls, self.fails, self.code, self.processes = [], fails, code, []

    def __call__(self, arguments, output):
        verb, *rest = arguments
        values = dict(flag.partition("=")[::2] for flag in rest)
        run_dir = values["--run_dir"]
        self.calls.append((verb, "/".join(pathlib.Path(run_dir).parts[-2:])))
        with open(output, "a") as file:
            file.write(f"{verb}\nerror: no such thing\n")
        if verb == "train" and self.calls[-1] not in self.fails:
            pathlib.Path(run_dir).mkdir(parents=True, exist_ok=True)
            pathlib.Path(run_dir, "config.flags").write_text("--steps=1\n")
        if verb == "evaluate":
            path = pathlib.Path(run_dir, "eval/val/metrics.json")
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({"scores": {"mean_iou": 0.5}}))
        process = Process(returncode=self.code if self.calls[-1] in self.fails else 0)
        self.processes.append(process)
        return process


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(sweeping.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(sweeping, "compare", lambda folders, output_dir: folders)


def plan(folder, variants=VARIANTS, seeds=(0, 1), flags=("--recipe=camvid/drn_d_22",)):
    return workflows.plan_study(str(folder), variants, seeds, flags)


def test_every_variant_from_every_seed(tmp_path):
    study = plan(tmp_path)
    assert [run.title for run in study] == [
        *("regular, seed 0", "mean, seed 0", "regular, seed 1", "mean, seed 1")
    ]
    assert study[3].flags == (
        *("--recipe=camvid/drn_d_22", "--model_option=dilated_type=average_filter", "--seed=1"),
    )
    call = Command()
    found = workflows.sweep(study, str(tmp_path), call=call)
    both = [("train", "mean/seed-0"), ("evaluate", "mean/seed-0")]
    assert call.calls[2:4] == both and len(call.calls) == 8
    assert [row["mean_iou"] for row in found["runs"]] == [0.5] * 4
    kept = [pathlib.Path(folder).relative_to(tmp_path) for folder in found["comparison"]]
    assert [str(one) for one in kept] == [
        *("regular/seed-0", "regular/seed-1", "mean/seed-0", "mean/seed-1")
    ]


def test_what_is_done_is_not_done_again(tmp_path):
    first = Command(fails=[("train", "mean/seed-0")])
    with pytest.raises(TfsegError, match="mean, seed 0 failed: no such thing"):
        workflows.sweep(plan(tmp_path), str(tmp_path), call=first)
    more = Command()
    workflows.sweep(plan(tmp_path, seeds=(0, 1, 2)), str(tmp_path), call=more)
    assert ("train", "regular/seed-0") not in more.calls
    assert [run for verb, run in more.calls if verb == "train"] == [
        *("mean/seed-0", "regular/seed-1", "mean/seed-1", "regular/seed-2", "mean/seed-2")
    ]


def test_a_run_that_never_began_may_be_told_otherwise(tmp_path):
    first = Command(fails=[("train", "regular/seed-0")])
    with pytest.raises(TfsegError, match="regular, seed 0 failed"):
        workflows.sweep(plan(tmp_path, flags=("--model=wrong",)), str(tmp_path), call=first)
    workflows.sweep(plan(tmp_path), str(tmp_path), call=Command())
    with pytest.raises(TfsegError, match="of an earlier call with other flags, --recipe="):
        plan(tmp_path, flags=("--model=wrong",))


@pytest.mark.parametrize("version", ["0.2.0", "now"])
def test_flags_are_known_wherever_the_folder_is(tmp_path, version):
    study = plan(tmp_path / "old")
    workflows.sweep(study, str(tmp_path / "old"), call=Command())
    path = tmp_path / "old" / "sweep.json"
    if version == "0.2.0":
        path.write_text(json.dumps({run.run_dir: list(run.flags) for run in study}))
    (tmp_path / "old").rename(tmp_path / "new")
    assert [run.name for run in plan(tmp_path / "new")] == [run.name for run in study]
    with pytest.raises(TfsegError, match="new/regular/seed-0 is of an earlier call with other fl"):
        plan(tmp_path / "new", flags=("--steps=9",))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (1, "regular, seed 0 failed: no such thing"),
        (
            -9,
            r"regular, seed 0 was ended by signal 9 \(Killed, as where memory runs out\): no such",
        ),
        (-11, r"regular, seed 0 was ended by signal 11 \(Segmentation fault\): no such"),
    ],
)
def test_how_a_run_ended_is_said(tmp_path, code, message):
    call = Command(fails=[("train", "regular/seed-0")], code=code)
    with pytest.raises(TfsegError, match=message):
        workflows.sweep(plan(tmp_path), str(tmp_path), call=call)


def test_a_training_that_does_not_stop_is_ended(tmp_path):
    class Deaf(Process):
        killed = False

        def wait(self, timeout=None):
            if not self.killed:
                raise sweeping.subprocess.TimeoutExpired("train", timeout)

        def kill(self):
            self.killed = True

    deaf = Deaf(polls=9)
    processes = [Process(returncode=1), deaf]
    with pytest.raises(TfsegError, match="regular, seed 0 failed: it said nothing"):
        workflows.sweep(
            plan(tmp_path), str(tmp_path), jobs=2, call=lambda _, output: _start(output, processes)
        )
    assert deaf.stopped and deaf.killed


def _start(output, processes):
    pathlib.Path(output).touch()
    return processes.pop(0)


def test_several_at_once_stop_together(tmp_path):
    call = Command(fails=[("train", "regular/seed-0")])
    with pytest.raises(TfsegError, match="regular, seed 0 failed"):
        workflows.sweep(plan(tmp_path), str(tmp_path), jobs=3, call=call)
    assert [process.stopped for process in call.processes] == [False, True, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": [*VARIANTS, workflows.Variant("mean", ("--mirror",))]}, "are named 'mean'"),
        ({"variants": [*VARIANTS, workflows.Variant("plain")]}, "two variants have the flags ''"),
        ({"seeds": (0, 0)}, "two seeds are '0'"),
        ({"variants": []}, "a study needs a variant and a seed"),
        ({"flags": ("--seed=3",)}, "--seed=3: the study gives each run its own"),
        ({"flags": ("--recipe=camvid/drn_a_18",)}, "of an earlier call with other flags"),
    ],
)
def test_studies_that_cannot_be(tmp_path, change, message):
    study = plan(tmp_path)
    workflows.sweep(study, str(tmp_path), call=Command())
    with pytest.raises(TfsegError, match=message):
        plan(tmp_path, **change)


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "--mirror", "a/b"])
def test_names_that_are_no_folders(name):
    with pytest.raises(TfsegError, match="a variant begins with its name"):
        workflows.Variant(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["camvid/drn_d_22", "more", "--set=a"], "unexpected argument 'more'"),
        (["camvid/drn_d_22", "--set=a mirror"], "'mirror' is no flag"),
        (["camvid/drn_d_22", "--set=a '"], "or a quote"),
        (["camvid/drn_d_22", "--set=--mirror"], "a variant begins with its name"),
        (["camvid/drn_d_22", "--set=a", "--seeds=x"], "--seeds are whole numbers, not x"),
        (["camvid/drn_d_22"], "--set is missing"),
        (["camvid/drn_d_2", "--set=a"], "a, seed 0: unknown recipe 'camvid/drn_d_2'; did you mean"),
        (
            ["camvid/drn_d_22", "--set=a", "--set=b --epohcs=3"],
            "b, seed 0: unknown flag '--epohcs'; did",
        ),
        (["camvid/drn_d_22", "--set=a --model=drn_d_2"], "a, seed 0: unknown model 'drn_d_2'; did"),
        (["camvid/drn_d_22", "--set=a", "--", "--steps=x"], "a, seed 0: flag --steps=x"),
        (
            ["camvid/drn_d_22", "--set=a", "--set=b --loss=dice:0"],
            "b, seed 0: loss: the factor of dice must be above 0",
        ),
        (
            ["camvid/drn_d_22", "--set=a", "--seeds=0,-1"],
            "a, seed -1: --seed must be in 0..4294967",
        ),
        (["camvid/drn_d_22", "--set=a", "--set=b --mirror"], "a and b come to the same settings"),
    ],
)
def test_calls_that_are_wrong(tmp_path, capsys, arguments, message):
    code = main(["sweep", "--data_dir=d", f"--output_dir={tmp_path}/study", *arguments])
    assert code == 1 and message in capsys.readouterr().err
    assert not (tmp_path / "study").exists()
