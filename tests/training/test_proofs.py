"""Rows that came after their tables, from flag to result: trained, resumed, and on two replicas."""

import dataclasses

import pytest

from tfseg.training import train

# One block a stage, and maps on which batch norm has more than a handful of values to count.
_NETWORK = {"model_options": {"blocks": [1, 1, 1, 1], "output_stride": 8}}
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
    name, make_config, assert_same_run, train_until
):
    """After an interruption bit for bit. On replicas up to the rounding of their sums, after one
    update: a random network of this size makes a thousand times as much of it in each."""
    settings = {"steps": 3, "val_split": "", "checkpoint_every": "1", "learning_rate": 1e-5}
    settings |= PROOFS[name]
    whole, parts, two = (make_config(run, **settings) for run in ("whole", "parts", "two"))
    train_until(parts, 1)
    train_until(dataclasses.replace(two, strategy="mirrored", replicas=2), 1)
    assert_same_run(two, parts, 1e-5)
    train(whole)
    train(parts)
    assert_same_run(parts, whole)
