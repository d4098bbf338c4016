"""Runs that can't fit into memory are refused before they start, with what fits instead."""

import dataclasses
import os
import re

import pytest
import tensorflow as tf

from tfseg import machine
from tfseg.errors import TfsegError
from tfseg.training import memory, train, trainer

# A tensor of [4, 8, 8] in float32.
UNIT = 4 * 8 * 8 * 4


def chain(x):
    return tf.sin(tf.cos(tf.exp(x)))


def kept(x):
    first = tf.exp(x)
    return first * tf.sin(tf.cos(first))


def views(x):
    return tf.exp(tf.reshape(tf.identity(x), [-1]))


def unused(x):
    tf.concat([x, x, x], 0)
    return tf.exp(x)


# Copies of the input that are held at once beside the batch and the next one.
@pytest.mark.parametrize("function, held", [(chain, 2), (kept, 3), (views, 1), (unused, 1)])
def test_tensors_are_held_until_they_are_last_read(function, held):
    spec = tf.TensorSpec([4, 8, 8])
    graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
    assert memory.largest_use(graph) == (held + 2) * UNIT


def test_nothing_is_told_of_unknown_shapes():
    spec = tf.TensorSpec([4, None, 8])
    graph = tf.function(chain, autograph=False).get_concrete_function(spec).graph
    assert memory.largest_use(graph) is None


@pytest.fixture
def needed(make_config, monkeypatch):
    """The estimate of a tiny run of 8 crops, which then finds the memory that `free` says."""
    config = make_config(batch_size=8, crop_size=96, steps=1)
    found = []

    def look(session, step, spec):
        found.append(memory.need(session.model, step))
        raise TfsegError("looked")

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "check_memory", look)
        with pytest.raises(TfsegError, match="looked"):
            train(config)
    # What doesn't depend on the samples is far more than such a network takes.
    monkeypatch.setattr(memory, "_FIXED", 2**20)
    monkeypatch.setattr(machine, "tells_free_memory", lambda: True)
    return config, found[0].bytes


def test_what_cannot_fit_is_refused_and_what_is_offered_fits(needed, monkeypatch):
    config, size = needed
    monkeypatch.setattr(machine, "free_memory", lambda: size / 3)
    with pytest.raises(TfsegError, match=r"^an update takes about \d+\.\d GiB more, .*$") as caught:
        train(config)
    assert not os.path.exists(config.run_dir)
    text = str(caught.value)
    batch, steps = re.search(r"`batch_size=(\d+)` with `accumulation_steps=(\d+)`", text).groups()
    assert int(batch) * int(steps) == 8
    (crop,) = re.search(r"`crop_size=(\d+)`", text).groups()
    for run, changes in {
        "batch": {"batch_size": int(batch), "accumulation_steps": int(steps)},
        "crop": {"crop_size": (int(crop),)},
    }.items():
        changes["run_dir"] = f"{config.run_dir}_{run}"
        assert train(dataclasses.replace(config, **changes)).step == 1


def test_what_may_fit_is_trained_with_a_warning(needed, monkeypatch, caplog):
    config, size = needed
    monkeypatch.setattr(machine, "free_memory", lambda: size)
    assert train(config).step == 1
    assert "it may not fit" in caplog.text


def test_memory_that_runs_out_all_the_same_is_one_line(make_config, monkeypatch):
    def fail(self, *arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nat x")

    monkeypatch.setattr(trainer.Trainer, "_loop", fail)
    with pytest.raises(TfsegError, match=r"^memory ran out: .* \(OOM when allocating tensor\)$"):
        train(make_config())
