import pytest

from tfseg.training.schedules import Schedule


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


def test_constant(make_config):
    assert rates(make_config, [0, 99], lr_schedule="constant") == [1, 1]
