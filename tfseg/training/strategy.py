"""Distribution: one device, several devices of this machine, or several machines."""

import functools
import json
import os

import tensorflow as tf

from tfseg.errors import TfsegError
from tfseg.words import counted


def create_strategy(name="auto", replicas=0, single=False):
    """A `tf.distribute.Strategy`; to be called before anything else uses TensorFlow.

    Args:
        name: "one_device"; "mirrored" for the GPUs of this machine, or logical CPU devices where
            it has none; "multi_worker" for the machines of TF_CONFIG or of a Slurm step; "auto"
            takes multi_worker if one of those names several tasks, mirrored if there are several
            GPUs, otherwise one_device.
        replicas: devices for "mirrored"; 0 for all GPUs.
        single: that "auto" takes one GPU of several, unless `replicas` says otherwise.

    Raises:
        TfsegError: there are fewer devices, or no cluster is described.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name == "auto":
        name = "mirrored" if replicas > 1 or (len(gpus) > 1 and not single) else "one_device"
        if (_tf_config_tasks() or _slurm_tasks()) > 1:
            name = "multi_worker"
    if name == "multi_worker":
        return _multi_worker()
    if name == "mirrored":
        return _mirrored(tuple(_devices(gpus, replicas)))
    return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")


@functools.cache
def _mirrored(devices):
    # Two mirrored strategies in one process count their collectives from the same number, and
    # TensorFlow takes the second's for the first's.
    return tf.distribute.MirroredStrategy(devices)


def _tf_config_tasks():
    """How many tasks that train TF_CONFIG names; some services set it for a single one, or none."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster") or {}
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError) as error:
        raise _bad_tf_config(error) from error


def _bad_tf_config(error):
    reason = " ".join(str(error).split())
    return TfsegError(f"TF_CONFIG in the environment does not describe a cluster: {reason}")


def _slurm_tasks():
    # Set inside `srun` only: a batch script alone is one task whatever it has reserved.
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))


def _multi_worker():
    if _tf_config_tasks():
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    elif _slurm_tasks() > 1:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
    else:
        raise TfsegError(
            "`strategy=multi_worker` needs TF_CONFIG in the environment, or a Slurm step (srun) "
            "of several tasks"
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (ValueError, TypeError, KeyError) as error:
        raise _bad_tf_config(error) from error


def _devices(gpus, replicas):
    if gpus:
        if replicas > len(gpus):
            raise TfsegError(
                f"`replicas={replicas}` asks for more than the {counted(len(gpus), 'GPU')} here"
            )
        return [f"GPU:{index}" for index in range(replicas or len(gpus))]
    replicas = max(replicas, 1)
    cpu = tf.config.list_physical_devices("CPU")[0]
    configured = tf.config.get_logical_device_configuration(cpu) or [None]
    if len(configured) < replicas:
        try:
            tf.config.set_logical_device_configuration(
                cpu, [tf.config.LogicalDeviceConfiguration()] * replicas
            )
        except RuntimeError as error:
            raise TfsegError(
                f"`replicas={replicas}` comes too late: TensorFlow has started with "
                f"{len(configured)} logical CPU device(s)"
            ) from error
    return [f"CPU:{index}" for index in range(replicas)]


def count_workers(strategy):
    """How many processes work together."""
    workers = _cluster(strategy)
    return sum(len(workers.get(kind, ())) for kind in ("chief", "worker")) or 1


def is_chief(strategy):
    """Whether this process writes the run's files: it alone, or the first of several workers."""
    workers, resolver = _cluster(strategy), strategy.cluster_resolver
    if not workers:
        return True
    return resolver.task_id == 0 and (resolver.task_type == "chief" or "chief" not in workers)


def _cluster(strategy):
    """{kind of task: their addresses}; {} of a process that is alone."""
    resolver = strategy.cluster_resolver
    alone = resolver is None or not resolver.task_type
    return {} if alone else resolver.cluster_spec().as_dict()
