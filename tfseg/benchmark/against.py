"""Our networks and PyTorch's, timed in turn, since two runs on a busy machine have no ratio."""

import statistics
import time

import numpy as np
import tensorflow as tf

from tfseg import models
from tfseg.benchmark.speed import create_forward, create_train_step, wait_for
from tfseg.errors import TfsegError, unknown
from tfseg.machine import has_gpu
from tfseg.models import ModelSpec

# Our models that are stated in PyTorch as well: their classes in `tfseg.benchmark.pytorch`.
RIVALS = {
    "drn_d_22": "DRN22",
    "resnet50_v1+deeplab_v3plus": "DeepLabV3Plus",
    "resnet50+upernet": "UPerNet50",
}
PRECISIONS = ("float32", "bfloat16")


def against_torch(
    name, num_classes, size, batch_size, *, precision="float32", xla=False, repeats=20
):
    """Times a network's forward pass and training step beside the same in PyTorch.

    Both run in this process on random images, one call of each in turn, and the ratio is that of
    calls which follow each other: what slows the machine down slows both. PyTorch's Triton, where
    it is, has to be imported before TensorFlow: after it, it ends the process.

    Args:
        name: a name in `RIVALS`.
        num_classes, size, batch_size: of the network and its images, (height, width).
        precision: one of `PRECISIONS`; in PyTorch, "bfloat16" is autocasting.
        xla: compile both: ours with XLA, PyTorch's with `torch.compile`.
        repeats: pairs of calls.

    Returns:
        ({"forward", "training": what `paired` returns}, facts of PyTorch).

    Raises:
        TfsegError: there is no such model, PyTorch isn't installed, or the two networks don't have
            as many weights.
    """
    if name not in RIVALS:
        raise unknown("model", name, RIVALS)
    if precision not in PRECISIONS:
        raise TfsegError(f"`against=torch` takes float32 and bfloat16, not {precision}")
    try:
        import torch
    except ImportError as error:
        raise TfsegError(
            "`against=torch` needs PyTorch beside TensorFlow: pip install torch"
        ) from error
    from tfseg.benchmark import pytorch

    with models.precision(precision):
        model = ModelSpec(name, num_classes).build()
    generator = np.random.default_rng(0)
    images = generator.normal(size=(batch_size, *size, 3)).astype(np.float32)
    labels = generator.integers(0, num_classes, (batch_size, *size), np.int32)
    device = "cuda" if has_gpu() and torch.cuda.is_available() else "cpu"
    theirs = pytorch.Runner(
        getattr(pytorch, RIVALS[name]), num_classes, images, labels, precision, device, xla
    )
    weights = sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    if weights != theirs.weights:
        raise TfsegError(f"{name} has {weights} weights here and {theirs.weights} in PyTorch")
    images, labels = tf.constant(images), tf.constant(labels)
    specs = (tf.TensorSpec(images.shape, images.dtype), tf.TensorSpec(labels.shape, labels.dtype))
    forward = create_forward(model, specs[0], xla)
    step = create_train_step(model, specs, precision, xla)
    results = {
        "forward": paired(lambda: wait_for(forward(images)), theirs.forward, repeats),
        "training": paired(lambda: wait_for(step(images, labels)), theirs.training, repeats),
    }
    facts = {"pytorch": torch.__version__, "device": device, "threads": torch.get_num_threads()}
    return results, {**facts, "weights": weights}


def paired(ours, theirs, repeats, warmup=2):
    """Times two functions in turn.

    Args:
        ours, theirs: functions without arguments that return when their work is done.
        repeats: how many pairs are timed; which of the two comes first alternates.
        warmup: pairs before them that aren't.

    Returns:
        {"ours_ms", "theirs_ms": medians; "ratio": the median of ours to theirs over the pairs,
        "lowest", "highest": of these ratios; "processor": the median of processor time's ratios,
        which other processes change less}.
    """
    times = []
    for number in range(warmup + repeats):
        calls = (ours, theirs) if number % 2 else (theirs, ours)
        both = {call: _times_of(call) for call in calls}
        times.append((*both[ours], *both[theirs]))
    times = times[warmup:]
    ratios = [ours / theirs for ours, _, theirs, _ in times]
    return {
        "ours_ms": 1e3 * statistics.median(one[0] for one in times),
        "theirs_ms": 1e3 * statistics.median(one[2] for one in times),
        **{"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)},
        "processor": statistics.median(ours / theirs for _, ours, _, theirs in times),
    }


def _times_of(call):
    """(seconds, seconds of all processors) of a call."""
    start, busy = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - busy


def paired_table(results):
    """Results of `paired` by name as text, a line each."""
    heads = "".join(f"{head:>12}" for head in ("ours", "PyTorch", "ratio", "processor"))
    lines = [f"{'':<10}{heads}   ratios of the pairs"]
    for name, one in results.items():
        times = "".join(f"{one[key]:>9.1f} ms" for key in ("ours_ms", "theirs_ms"))
        spread = f"{one['lowest']:.2f} to {one['highest']:.2f}"
        lines.append(f"{name:<10}{times}{one['ratio']:>12.2f}{one['processor']:>12.2f}   {spread}")
    return "\n".join(lines)
