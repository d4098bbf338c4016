"""A data set and a network so small that a run takes seconds."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework import config as framework

from tfseg import runs
from tfseg.data import read_split, write_sample_dataset
from tfseg.training import TrainConfig, train, trainer
from tfseg.training.logs import TIMING

ROOT = pathlib.Path(__file__).parents[2]
# The first three stages of DRN-D-22: 68,087 weights, output stride 4.
TINY = {"blocks": [1, 1, 1, 0, 0, 0, 0, 0]}


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """12 training and 3 validation scenes; two in three training labels are mostly ignored."""
    folder = tmp_path_factory.mktemp("data")
    write_sample_dataset(folder, train=12, val=3, size=(48, 64))
    for index, path in enumerate(read_split(folder, "train").labels):
        if index % 3:
            labels = np.array(Image.open(path))
            labels[: 10 + 12 * (index % 3)] = 255
            Image.fromarray(labels).save(path)
    return str(folder)


@pytest.fixture(scope="session")
def make_run(data_dir):
    """Function (run directory, **settings) -> `TrainConfig` of a tiny run."""

    def make(run_dir, **settings):
        values = {
            "data_dir": data_dir,
            "run_dir": str(run_dir),
            "model": "drn_d_22",
            "model_options": TINY,
            "crop_size": 32,
            "batch_size": 4,
            "steps": 4,
            "strategy": "one_device",
            "log_every": 1,
            "learning_rate": 1e-3,
        }
        if "epochs" in settings:
            del values["steps"]
        return TrainConfig(**{**values, **settings})

    return make


@pytest.fixture
def make_config(make_run, tmp_path):
    """Function (run name, **settings) -> `TrainConfig` of a tiny run below the test's folder."""
    return lambda run="run", **settings: make_run(tmp_path / run, **settings)


def _run_of(config):
    rows = runs.read_log(os.path.join(config.run_dir, runs.LOG))
    rows = [{k: v for k, v in row.items() if k not in TIMING} for row in rows]
    step = runs.checkpoint_steps(config.run_dir)[0]
    reader = tf.train.load_checkpoint(runs.checkpoint_path(config.run_dir, step))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    return rows, {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


@pytest.fixture
def run_of():
    """Function (config) -> rows of log.csv without the columns that tell the time, and {name:
    array} of the last checkpoint's weights, statistics, velocities and averages."""
    return _run_of


@pytest.fixture
def assert_same_run():
    """Function (config, config, tolerance=0): the same log.csv and last checkpoint.

    With a tolerance (absolute up to a size of one, relative beyond) losses and weights only: a
    random network multiplies a rounding error in its input by some hundred in its gradient.
    """

    def check(one, other, tolerance=0.0):
        (rows, values), (others, expected) = _run_of(one), _run_of(other)
        assert len(rows) == len(others) and values.keys() == expected.keys()
        if not tolerance:
            assert rows == others
        for row, wanted in zip(rows, others, strict=True):
            assert row["step"] == wanted["step"]
            assert row["loss"] == pytest.approx(wanted["loss"], abs=tolerance, rel=tolerance)
        for name, value in values.items():
            if not tolerance:
                np.testing.assert_array_equal(value, expected[name], err_msg=name)
            elif name.startswith("model/"):
                limit = tolerance * max(1.0, np.abs(value).max())
                np.testing.assert_allclose(value, expected[name], rtol=0, atol=limit, err_msg=name)

    return check


@pytest.fixture(scope="session")
def train_until():
    """Function (config, step): trains, and is interrupted once that update's events are over."""
    events = trainer.Trainer._events

    def run(config, step):
        def interrupted(self, now, due):
            events(self, now, due)
            if now == step:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trainer.Trainer, "_events", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(config)

    return run


@pytest.fixture
def indeterminate_after():
    """What `deterministic` sets is for the process, and TensorFlow's API has no way back."""
    yield
    framework.disable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})


@pytest.fixture
def start():
    """Function (config, **environment) -> Popen of `tfseg train`; ended when the test ends."""
    started = []

    def run(config, **environment):
        path = pathlib.Path(config.run_dir + ".flags")
        path.write_text(config.to_flags())
        process = subprocess.Popen(
            [sys.executable, "-m", "tfseg", "train", f"--flagfile={path}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
