"""Studies: a recipe trained in several variants from several seeds, evaluated, and compared."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import logging

from tfseg import runs
from tfseg.digests import sealed, unsealed
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.workflows.comparing import compare

PLAN = "sweep.json"
# How long a training that is told to stop may take to save.
_PATIENCE = 120.0
# Flags that each run has of its own.
_OURS = ("seed", "run_dir")
_NAME = re.compile(r"\w[\w.-]*")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way of training.

    Attributes:
        name: of its folder, and in reports.
        flags: of `tfseg train`, on top of those that all variants have.
    """

    name: str
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise TfsegError(
                f"a variant begins with its name, of letters, digits, _, - and dots: {self.name!r}"
            )


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of a study.

    Attributes:
        variant: its variant's name.
        seed: of its random numbers.
        run_dir: its run directory; its output is in a file beside it, with ".txt" behind the name.
        flags: of `tfseg train`, without the run directory.
    """

    variant: str
    seed: int
    run_dir: str
    flags: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.variant}, seed {self.seed}"

    @property
    def name(self) -> str:
        """Of its folder within the study's."""
        return _folder(self.variant, self.seed)

    @property
    def output(self) -> str:
        return f"{self.run_dir}.txt"

    @property
    def metrics(self) -> str:
        """What its evaluation writes."""
        return os.path.join(runs.evaluation_dir(self.run_dir, "val"), "metrics.json")

    def commands(self) -> Iterator[list[str]]:
        """What is left to do, in order: the arguments of `tfseg`."""
        if not os.path.isfile(self.metrics):
            yield ["train", *self.flags, f"--run_dir={self.run_dir}"]
            yield ["evaluate", f"--run_dir={self.run_dir}"]


def _folder(variant: str, seed: int) -> str:
    return f"{variant}/seed-{seed}"


def plan_study(
    output_dir: str, variants: Sequence[Variant], seeds: Sequence[int], flags: Sequence[str]
) -> list[Run]:
    """The runs of a study, seed by seed, so that a study that is stopped has whole comparisons.

    Args:
        output_dir: the study's folder. sweep.json in it says what the runs of earlier calls are, to
            which this one may add variants and seeds.
        variants: in the order of the report; the others are compared with the first.
        seeds: whole numbers.
        flags: of all trainings.

    Raises:
        TfsegError: two variants of one name or with the same flags, no seed, or runs in the folder
            that have begun under the same name with other flags.
    """
    for flag in (*flags, *(flag for one in variants for flag in one.flags)):
        if flag.lstrip("-").partition("=")[0] in _OURS:
            raise TfsegError(f"{flag}: the study gives each run its own")
    for kind, values in (
        ("variants are named", [one.name for one in variants]),
        ("variants have the flags", [" ".join(one.flags) for one in variants]),
        ("seeds are", list(map(str, seeds))),
    ):
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise TfsegError(f"two {kind} '{twice[0]}'")
    if not variants or not seeds:
        raise TfsegError("a study needs a variant and a seed")
    found = [
        Run(
            one.name,
            seed,
            os.path.join(output_dir, _folder(one.name, seed)),
            (*flags, *one.flags, f"--seed={seed}"),
        )
        for seed in seeds
        for one in variants
    ]
    known = _known(output_dir)
    for run in found:
        # One that failed before its first update may be told otherwise.
        begun = runs.read_config(run.run_dir) is not None
        earlier = known.get(run.name, list(run.flags))
        if begun and earlier != list(run.flags):
            raise TfsegError(
                f"{run.run_dir} is of an earlier call with other flags, {' '.join(earlier)}: name "
                "the variant or the folder otherwise"
            )
    return found


def _known(output_dir: str) -> dict[str, list[str]]:
    """{`Run.name`: flags} of the calls so far."""
    path = os.path.join(output_dir, PLAN)
    if not os.path.isfile(path):
        return {}
    values = read_json(path)
    if not isinstance(values, dict):
        raise TfsegError(f"{path} isn't what a study writes")
    # Version 0.2.0 wrote whole paths, which the folder may since have others than.
    return {
        "/".join(key.split(os.sep)[-2:]): flags for key, flags in unsealed(values, path).items()
    }


def sweep(
    study: Sequence[Run],
    output_dir: str,
    jobs: int = 1,
    *,
    call: Callable[[list[str], str], Any] | None = None,
) -> dict[str, Any]:
    """Trains and evaluates what isn't yet, and compares.

    Each training is a process of its own. Whatever ends this call tells those that run to save and
    stop; the same call goes on.

    Args:
        study: what `plan_study` returned.
        output_dir: as for `plan_study`; gets sweep.json, and comparison.json and comparison.html
            where there are two variants or more.
        jobs: how many runs at a time, at least 1.
        call: starts `tfseg` with arguments, its output into a file; returns a `subprocess.Popen`.

    Returns:
        {"runs": [{"variant", "seed", "run_dir", "mean_iou"}], "comparison": what
        `tfseg.workflows.compare` returns, or None}.

    Raises:
        TfsegError: a training or evaluation failed; the message has its last line.
    """
    plan = {**_known(output_dir), **{run.name: list(run.flags) for run in study}}
    write_json(os.path.join(output_dir, PLAN), sealed(plan))
    _run_all(study, jobs, call or _call)
    rows = []
    for run in study:
        scores = read_json(run.metrics)["scores"]
        row = {"variant": run.variant, "seed": run.seed, "run_dir": run.run_dir}
        rows.append({**row, "mean_iou": scores["mean_iou"]})
    variants = list(dict.fromkeys(run.variant for run in study))
    # The first variant's first, as the others are compared with it.
    ordered = sorted(study, key=lambda run: variants.index(run.variant))
    found = None
    if len(variants) > 1:
        found = compare([run.run_dir for run in ordered], output_dir=output_dir)
    return {"runs": rows, "comparison": found}


def _run_all(study: Sequence[Run], jobs: int, call: Callable[[list[str], str], Any]) -> None:
    waiting = list(enumerate(study, 1))
    working: dict[Any, tuple[Run, Iterator[list[str]]]] = {}
    try:
        while waiting or working:
            while waiting and len(working) < jobs:
                number, run = waiting.pop(0)
                commands = run.commands()
                if first := next(commands, None):
                    logging.info("%s of %s: %s", number, len(study), run.title)
                    os.makedirs(os.path.dirname(run.run_dir), exist_ok=True)
                    working[call(first, run.output)] = run, commands
                else:
                    logging.info("%s of %s: %s is done", number, len(study), run.title)
            time.sleep(0.2)
            for process in [one for one in working if one.poll() is not None]:
                run, commands = working.pop(process)
                if code := process.returncode:
                    raise TfsegError(f"{run.title} {_failure(code)}: {_last_line(run.output)}")
                if following := next(commands, None):
                    working[call(following, run.output)] = run, commands
    finally:
        for process in working:
            process.terminate()
        for process in working:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                # Its last checkpoint is whole.
                process.kill()
                process.wait()


def _call(arguments: list[str], output: str) -> subprocess.Popen:
    # Of a session of its own: Ctrl-C reaches it once, by way of `_run_all`.
    with open(output, "a", encoding="utf-8") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "tfseg", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _failure(code: int) -> str:
    """What has become of a process that ended with this `returncode`."""
    if code > 0:
        return "failed"
    memory = ", as where memory runs out" if code == -signal.SIGKILL else ""
    return f"was ended by signal {-code} ({signal.strsignal(-code)}{memory})"


def _last_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.strip().removeprefix("error: ") for line in file if line.strip()]
    return f"{lines[-1] if lines else 'it said nothing'} ({path} has all that it said)"
