import numpy as np
import pytest

from tfseg.errors import TfsegError
from tfseg.training.schedules import SCHEDULES, Schedule


def rates(make_config, steps, total=100, per_epoch=10, **settings):
    schedule = Schedule(make_config(learning_rate=1.0, **settings), total, per_epoch)
    return [schedule(step) for step in steps]


def test_poly_every_step(make_config):
    assert rates(make_config, [0, 1, 99]) == pytest.approx([1, 0.99**0.9, 0.01**0.9])


def test_poly_every_few_steps(make_config):
    found = rates(make_config, [9, 10, 19], lr_update_every="10", lr_power=2.0)
    assert found == pytest.approx([1, 0.81, 0.81])


def test_poly_every_epoch(make_config):
    found = rates(make_config, [0, 9, 10, 99], lr_update_every="epoch")
    assert found == pytest.approx([1, 1, 0.9**0.9, 0.1**0.9])


def test_step_schedule_counts_epochs_or_updates(make_config):
    settings = {"lr_schedule": "step", "lr_step_size": 2}
    assert rates(make_config, [1, 2, 4], **settings) == pytest.approx([1, 0.1, 0.01])
    found = rates(make_config, [19, 20, 45], lr_update_every="epoch", **settings)
    assert found == pytest.approx([1, 0.1, 0.01])


def test_cosine(make_config):
    found = rates(make_config, [0, 25, 50, 75, 99], lr_schedule="cosine", lr_final=0.1)
    angles = np.pi * np.array([0, 0.25, 0.5, 0.75, 0.99])
    assert found == pytest.approx(0.1 + 0.9 * (1 + np.cos(angles)) / 2)


def test_one_cycle(make_config):
    found = rates(make_config, [0, 10, 20, 60, 99], lr_schedule="one_cycle", lr_peak=0.2)
    assert found == pytest.approx([0.04, 0.52, 1, 0.5, (1 + np.cos(np.pi * 79 / 80)) / 2])
    for peak in (0.0, 1.0):
        values = rates(make_config, [0, 99], lr_schedule="one_cycle", lr_peak=peak)
        assert all(0 < value <= 1 for value in values)


@pytest.mark.parametrize("name", SCHEDULES)
def test_after_a_warm_up_each_schedule_is_that_of_a_shorter_run(make_config, name):
    found = rates(make_config, range(100), lr_schedule=name, lr_warmup_steps=19)
    assert found[:19] == pytest.approx([(step + 1) / 20 for step in range(19)])
    assert found[19:] == pytest.approx(rates(make_config, range(81), total=81, lr_schedule=name))


def gives_nothing(step, total, run):
    return None


def falls_below_zero(step, total, run):
    return 0.5 - step / total


@pytest.mark.parametrize("schedule", [gives_nothing, falls_below_zero])
def test_schedules_of_users_that_give_no_rate(make_config, schedule):
    message = rf"the lr_schedule .*{schedule.__name__} must give a finite number from 0, not "
    with pytest.raises(TfsegError, match=message):
        rates(make_config, [0, 99], lr_schedule=schedule)


def test_a_warm_up_that_ends_within_an_epoch(make_config):
    settings = {"lr_warmup_steps": 4, "lr_update_every": "epoch", "lr_power": 1.0}
    found = rates(make_config, [3, 4, 9, 10, 19, 20], **settings)
    assert found == pytest.approx([0.8, 1, 1, 1 - 6 / 96, 1 - 6 / 96, 1 - 16 / 96])


def test_a_warm_up_without_an_end(make_config):
    with pytest.raises(TfsegError, match="`lr_warmup_steps=100` must be below the run's 100"):
        make_config(lr_warmup_steps=100, steps=100).length(12)


def test_constant(make_config):
    assert rates(make_config, [0, 99], lr_schedule="constant") == [1, 1]
