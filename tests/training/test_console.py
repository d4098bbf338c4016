import logging

from tfseg.training import console
from tfseg.training.console import Console, duration


def test_time_left_leaves_out_the_first_update(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "absl")
    now = iter([100.0, 106.0, 109.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    shown = Console(total=13, done=3)
    row = {"epoch": 1.0, "loss_average": 0.5, "images_per_second": 8.0, "data_wait": 0.01}
    for step in (4, 6, 7, 13):
        shown.step(step, 0.5)
        shown.row({"step": step, **row})
    ends = [record.getMessage().partition("images/s, ")[2] for record in caplog.records]
    # 6 seconds for two updates, with 7 to go; then 9 for three, with 6 to go.
    told = ["", ", 21 s left", ", 18 s left", ""]
    assert ends == [f"1 % waiting for data{end}" for end in told]


def test_time_left_counts_validations(monkeypatch, caplog):
    """Whose number stands for their time until the first is done."""
    caplog.set_level(logging.INFO, "absl")
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    shown = Console(total=10, validate_every=4)
    row = {"epoch": 1.0, "loss_average": 0.5, "images_per_second": 8.0, "data_wait": 0.01}
    for step in range(1, 11):
        clock[0] += 1
        shown.step(step, 0.5)
        if step in (4, 8, 10):
            with shown.validating() as progress:
                clock[0] += 40
                progress(6, 9)
                clock[0] += 1
                progress(7, 9)
        if step in (3, 5):
            shown.row({"step": step, **row})
    lines = [record.getMessage().rpartition("data, ")[2] for record in caplog.records]
    told = "validating: image 6 of 9"
    assert lines == ["7 s and 3 validations left", told, "87 s left", told, told]


def test_a_terminal_shows_a_validation_in_its_bar(capsys):
    shown = Console(total=10, progress_bar=True, validate_every=0)
    shown.start(None)
    shown.step(1, 0.5)
    with shown.validating() as progress:
        progress(3, 8)
    shown.step(2, 0.5)
    shown.end(None)
    assert "validating: image 3 of 8" in capsys.readouterr().err


def test_durations():
    assert [duration(s) for s in (42, 400, 12000)] == ["42 s", "7 min", "3 h 20 min"]
