"""A run's minutes: how many updates they come to, and that it ends when they do."""

import pathlib
import time

import pytest

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.training import pace as module
from tfseg.training import train
from tfseg.training.checkpoints import find_checkpoint
from tfseg.training.pace import Allowance, Pace
from tfseg.training.trainer import allowed


class Clock:
    """A machine on which all takes as long as a test says."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def run(self, pace, update, validation, validate_every, built=0.0):
        """Trains until the length that `pace` states; returns it. The arguments are durations,
        or functions of the step to one."""
        step, total, made = 0, None, 0
        while step != total:
            step += 1
            seconds = update(step) if callable(update) else update
            self.now += seconds
            if step > 1:
                pace.took(seconds)
                total = pace.length(step, total)
            assert step < 10**5
            if step == total or step % validate_every == 0:
                seconds = validation + (0 if made else built)
                self.now += seconds
                pace.took(seconds, {"validate", "log"})
                made += 1
        return step


@pytest.mark.parametrize(
    ("update", "validation", "every", "closing"),
    [
        (1.0, 0.0, 50, 0.0),
        (1.0, 8.0, 46, 0.0),
        (0.1, 8.0, 46, 30.0),
        (3.0, 20.0, 10**4, 5.0),
        (lambda step: 1.0 if step < 300 else 1.5, 8.0, 46, 10.0),
        (lambda step: 1.0 + (step % 7 == 0), 8.0, 46, 10.0),
        (lambda step: 2.0 if step < 9 else 0.5, 8.0, 46, 10.0),
    ],
)
def test_it_ends_with_the_time(update, validation, every, closing, monkeypatch):
    clock = Clock(monkeypatch)
    start, clock.now = clock.now, clock.now + 12  # what came before the trainer
    allowance = Allowance(start, lambda built: built + closing)
    pace = Pace(1200, allowance, likely := 6, every, every)
    assert likely
    clock.run(pace, update, validation, every, built=5.0)
    end = clock.now + validation + 5.0 + closing
    assert abs(end - start - 1200) <= 0.025 * 1200


def test_the_length_stays_while_it_is_right(monkeypatch):
    clock = Clock(monkeypatch)
    pace, lengths, total = Pace(600, Allowance(clock.now), 0, 0, 0), set(), None
    for step in range(2, 500):
        seconds = 1.0 + 0.05 * (-1) ** step
        clock.now += seconds
        pace.took(seconds)
        total = pace.length(step, total)
        lengths.add(total)
    assert lengths - {None} == {total}


def test_time_that_is_over_ends_at_once(monkeypatch):
    clock = Clock(monkeypatch)
    pace = Pace(10, Allowance(clock.now), 0, 0, 0)
    clock.now += 11
    assert pace.length(1, None) == 1
    assert pace.length(2, 100) == 2


def test_a_run_of_minutes_says_what_they_came_to(make_config, run_of, monkeypatch):
    """Here in two parts: 6 updates at first, then 4."""
    monkeypatch.setattr(Pace, "length", lambda self, step, total: {2: 6, 3: 4}.get(step, total))
    config = make_config(steps=0, minutes=60.0, validate_every="0", lr_warmup_steps=1)
    assert train(config).step == 4
    rows = run_of(config)[0]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and rows[-1]["val_mean_iou"] is not None
    rates = [row["learning_rate/all"] for row in rows]
    poly = [0.5, 1.0, (1 - 1 / 5) ** 0.9, (1 - 2 / 3) ** 0.9]
    assert rates == pytest.approx([1e-3 * factor for factor in poly])
    length = find_checkpoint(config.run_dir).values["length"]
    assert length["minutes"] == 60 and length["laid"] == [[2, 6], [3, 4]]
    text = (pathlib.Path(config.run_dir) / runs.CONFIG).read_text()
    laid = ["# What 60 minutes came to:", "# after step 2: 6 steps", "# after step 3: 4 steps"]
    assert text.splitlines()[-3:] == laid and "--minutes=60.0\n" in text


def test_a_warm_up_longer_than_the_minutes_allow_is_said(make_config):
    config = make_config(steps=0, minutes=2.0, lr_warmup_steps=20)
    assert allowed(config, 21) == "2 min allow about 21 steps"
    assert allowed(config, 20).endswith("20 steps, no more than the warm-up's 20: it never ends")


@pytest.mark.slow
def test_a_run_ends_with_its_minutes(make_config, run_of):
    started = time.monotonic()
    config = make_config(steps=0, minutes=0.25, validate_every="0", checkpoint_every="0")
    result = train(config, allowance=Allowance(started))
    assert result.step > 5
    assert run_of(config)[0][-1]["val_mean_iou"] is not None
    assert train(config).step == result.step


@pytest.mark.slow
def test_a_resumed_run_keeps_its_length(make_config, monkeypatch):
    """It ends where it would have, however fast the machine is by then."""
    config = make_config(steps=0, minutes=1.0, validate_every="0", checkpoint_every="10")

    def stop(self, seconds, due=()):
        if "checkpoint" in due:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pace, "length", lambda self, step, total: 30 if step > 4 else None)
        patch.setattr(Pace, "took", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    found = find_checkpoint(config.run_dir).values
    assert found["step"] == 10 and found["length"]["laid"] == [[5, 30]]
    assert train(config).step == 30


def test_minutes_are_one_of_three_lengths(make_config):
    with pytest.raises(TfsegError, match="`steps`, `epochs` and `minutes`"):
        make_config(minutes=3)
