import json

import pytest
import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.training import create_strategy, strategy


@pytest.fixture
def chosen(monkeypatch):
    """Function (TF_CONFIG, Slurm's tasks) -> whether "auto" takes several workers."""
    monkeypatch.setattr(strategy, "_multi_worker", lambda: "several workers")

    def choose(tf_config, slurm=None):
        monkeypatch.setenv("TF_CONFIG", tf_config)
        if slurm:
            monkeypatch.setenv("SLURM_STEP_NUM_TASKS", slurm)
        return create_strategy("auto") == "several workers"

    return choose


def cluster(**tasks):
    task = {"type": "worker", "index": 0}
    return json.dumps({"cluster": {k: ["localhost:1"] * n for k, n in tasks.items()}, "task": task})


def test_a_cluster_has_several_tasks_that_train(chosen):
    assert chosen(cluster(worker=2))
    assert chosen(cluster(chief=1, worker=1, evaluator=1))
    assert not chosen(cluster(worker=1))
    assert not chosen(cluster(worker=1, evaluator=1))
    assert not chosen(json.dumps({"environment": "cloud"}))
    assert not chosen("")


def test_slurm_counts_where_tf_config_is_silent(chosen):
    assert chosen("", slurm="2")
    assert not chosen("", slurm="1")
    assert not chosen(cluster(worker=1), slurm="2")


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}', '{"cluster": {"worker": 2}}'])
@pytest.mark.parametrize("name", ["auto", "multi_worker"])
def test_impossible_tf_config(text, name, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(TfsegError, match=r"TF_CONFIG .* does not describe a cluster") as error:
        create_strategy(name)
    assert "\n" not in str(error.value)


def test_several_workers_need_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(TfsegError, match="needs TF_CONFIG"):
        create_strategy("multi_worker")


def test_auto_takes_all_gpus_unless_one_is_enough(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    gpus = [tf.config.PhysicalDevice(f"/physical_device:GPU:{k}", "GPU") for k in range(2)]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(strategy, "_mirrored", len)
    monkeypatch.setattr(strategy, "_devices", lambda gpus, replicas: gpus[: replicas or None])
    assert create_strategy("auto") == create_strategy("mirrored", single=True) == 2
    assert create_strategy("auto", replicas=2, single=True) == 2
    assert isinstance(create_strategy("auto", single=True), tf.distribute.OneDeviceStrategy)
