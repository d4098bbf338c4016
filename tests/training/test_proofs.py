"""Rows that came after their tables, from flag to result: trained, resumed, and on two replicas."""

import dataclasses

import pytest

from tfseg.training import train, trainer

# What each network trains as: one block a stage, and the narrowest decoder.
_NETWORK = {"model_options": {"blocks": [1, 1, 1, 1]}}
PROOFS = {
    "resnext50_32x4d_v1": {"model": "resnext50_32x4d_v1+linear", **_NETWORK},
    "resnext101_32x8d_v1": {"model": "resnext101_32x8d_v1+linear", **_NETWORK},
    "wide_resnet50_v1": {"model": "wide_resnet50_v1+linear", **_NETWORK},
    "fpn": {"model": "resnet18_v1+fpn", **_NETWORK},
    "dice": {"loss": "cross_entropy:1,dice:0.5"},
    "adamw": {"optimizer": "adamw", "adam_epsilon": 1e-3},
    "cosine": {"lr_schedule": "cosine", "lr_final": 0.1},
    "transforms": {"transforms": "color_jitter:0.4,blur,grey,erase:1"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROOFS)
def test_a_row_trains_resumes_and_is_the_same_on_two_replicas(
    name, make_config, assert_same_run, monkeypatch
):
    """After an interruption bit for bit; on replicas up to the rounding of their sums."""
    settings = {"steps": 3, "val_split": "", "learning_rate": 1e-5, **PROOFS[name]}
    whole, parts, two = (make_config(run, **settings) for run in ("whole", "parts", "two"))
    train(whole)
    events = trainer.Trainer._events

    def interrupted(self, step, due):
        events(self, step, due)
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "_events", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(dataclasses.replace(parts, checkpoint_every="1"))
    train(parts)
    assert_same_run(parts, whole)
    train(dataclasses.replace(two, strategy="mirrored", replicas=2))
    assert_same_run(two, whole, 1e-5)
