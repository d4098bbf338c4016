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


def test_durations():
    assert [duration(s) for s in (42, 400, 12000)] == ["42 s", "7 min", "3 h 20 min"]
