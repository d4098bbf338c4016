"""Speed and memory of a model, as a share of what the machine can do at that moment.

Times on shared or throttled machines vary from hour to hour. So each run also times a large
matrix product, the fastest arithmetic that there is, and states every figure as a share of it.
"""

import concurrent.futures
import statistics
import time

import numpy as np
import tensorflow as tf
from absl import logging

from tfseg.machine import MIB, has_gpu, memory_in_use, memory_peak, reset_memory_peak
from tfseg.models.variables import variable_names
from tfseg.training.groups import assign_groups, find_table
from tfseg.training.loss_scale import LossScale
from tfseg.training.losses import SegmentationLoss
from tfseg.training.optimizers import SGD
from tfseg.training.step import TrainStep

# A training step computes the outputs, the gradient of the inputs and that of the kernels.
TRAINING_FACTOR = 3


def matmul_peak(dtype, repeats=5):
    """GFLOP/s of the best of several square matrix products in `dtype`.

    4096 x 4096 on a CPU, 8192 x 8192 on an accelerator, where a smaller one is too short.
    """
    size, chain = (8192, 10) if has_gpu() else (4096, 1)
    left = tf.cast(tf.random.stateless_uniform([size, size], [0, 1]), dtype)
    # Rows that sum to one keep the chained products finite.
    left /= tf.reduce_sum(left, axis=1, keepdims=True)

    @tf.function(autograph=False)
    def product(right):
        for _ in range(chain):
            right = tf.matmul(left, right)
        return right

    _time(lambda: product(left), 2)
    seconds = _time(lambda: product(left), repeats)
    return 2 * size**3 * chain / min(seconds) / 1e9


def count_flops(function, *specs):
    """Floating-point operations of convolutions and matrix products in a function's graph.

    A multiply-add counts as two. Everything else is left out: it is a few per cent, and what the
    published figures leave out too.

    Args:
        function: takes tensors like `specs`.
        specs: `tf.TensorSpec`s with static shapes.
    """
    # Functions in the function are traced as a part of it, where their operations can be seen.
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        graph = tf.compat.v1.wrap_function(function, specs).graph
    finally:
        tf.config.run_functions_eagerly(before)
    return sum(_flops(operation) for operation in graph.get_operations())


def _flops(operation):
    kind = operation.type
    if kind in ("Conv2D", "DepthwiseConv2dNative"):
        kernel = operation.inputs[1].shape
        taps = kernel[0] * kernel[1] * (kernel[2] if kind == "Conv2D" else 1)
        return 2 * taps * operation.outputs[0].shape.num_elements()
    if kind == "Conv2DBackpropInput":  # a transposed convolution
        kernel = operation.inputs[1].shape
        return 2 * kernel[:3].num_elements() * operation.inputs[2].shape.num_elements()
    if kind in ("MatMul", "BatchMatMulV2"):
        transposed = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        inner = operation.inputs[0].shape[-2 if transposed else -1]
        return 2 * inner * operation.outputs[0].shape.num_elements()
    return 0


def run(parts, dtype):
    """Measures parts one after the other, and the machine's peak before each and at the end.

    The best of these peaks is the one that counts: other processes can only lower it.

    Args:
        parts: {name: function without arguments that returns a dict of numbers}.
        dtype: the arithmetic whose peak "share_of_peak" refers to.

    Returns:
        ({name: dict}, with "share_of_peak" where there is "gflop_per_second";
        {dtype: GFLOP/s} for float32, bfloat16 and `dtype`).
    """
    peaks = dict.fromkeys(("float32", "bfloat16", dtype), 0.0)
    results = {}

    def update_peaks():
        for name in peaks:
            peaks[name] = max(peaks[name], matmul_peak(name))

    for name, part in parts.items():
        logging.info("measuring %s", name)
        update_peaks()
        results[name] = part()
    update_peaks()
    for values in results.values():
        if "gflop_per_second" in values:
            values["share_of_peak"] = values["gflop_per_second"] / peaks[dtype]
    return results, peaks


def create_forward(model, element_spec, xla=False):
    """Inference up to the class scores, as a function of images.

    Args:
        model: a `Segmenter`.
        element_spec: the `tf.TensorSpec` of the images, float32 [N, H, W, 3].
        xla: compile it with XLA.
    """
    return tf.function(
        lambda images: model(images, training=False)["logits"],
        input_signature=[element_spec],
        autograph=False,
        jit_compile=xla or None,
    )


def create_train_step(model, element_spec, precision="float32", xla=False):
    """The trainer's own step for `model` on this device, as a function of (images, labels).

    Args:
        model: a `Segmenter`.
        element_spec: `tf.TensorSpec`s of a batch: images float32 [N, H, W, 3], labels int32
            [N, H, W], shapes static.
        precision: "float16" adds loss scaling.
        xla: compile it with XLA.
    """
    every = variable_names(model).items()
    variables = {name: v.value for name, v in every if v.trainable}
    groups = assign_groups(list(variables), find_table("all"))
    step = TrainStep(
        model,
        SegmentationLoss(model),
        SGD(variables, groups, momentum=0.9, weight_decay=1e-4),
        tf.distribute.get_strategy(),
        element_spec,
        loss_scale=LossScale() if precision == "float16" else None,
        xla=xla,
    )
    # A rate so low that random labels can't drive the weights to infinity.
    return lambda images, labels: step(((images, labels),), learning_rate=1e-5)


def measure(call, images, gflop, repeats, warmup=2):
    """Times a computation that starts anew with each call.

    Args:
        call: runs it once and returns one of its tensors, which is waited for.
        images: how many images a call handles.
        gflop: how much arithmetic a call does, in 10^9 operations.
        repeats: calls that are timed.
        warmup: calls before them that aren't: tracing, memory allocation, caches.

    Returns:
        A dict of numbers: "median_ms", "best_ms", "images_per_second", "gflop",
        "gflop_per_second" (these of the median), "peak_rss_mib" and, with a GPU, "peak_gpu_mib"
        of the whole measurement, and "growth_mib" and "growth_gpu_mib": how much more memory is
        in use after the timed calls than before them, where the system can tell; see
        `memory_in_use` for what needs many calls to show.
    """
    reset_memory_peak()
    _time(call, warmup)
    before = memory_in_use()
    seconds = _time(call, repeats)
    after = memory_in_use()
    median = statistics.median(seconds)
    return {
        "median_ms": 1e3 * median,
        "best_ms": 1e3 * min(seconds),
        "images_per_second": images / median,
        "gflop": gflop,
        "gflop_per_second": gflop / median,
        **memory_peak(),
        **{
            name: round((after[kind] - before[kind]) / MIB, 1)
            for name, kind in (("growth_mib", "host"), ("growth_gpu_mib", "gpu"))
            if kind in before
        },
    }


def measure_requests(answer, images, requests):
    """Asks for all answers at once, a thread for each, and compares them with answers in turn.

    Args:
        answer: function of an image to its label map, an array; called from many threads.
        images: images to ask about; the requests go through them again and again.
        requests: how many requests.

    Returns:
        A dict with "images_per_second", and "wrong_answers": how many were not those in turn.
    """
    expected = [answer(image) for image in images]
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(requests) as pool:
        futures = [pool.submit(answer, images[n % len(images)]) for n in range(requests)]
        answers = [future.result() for future in futures]
    seconds = time.perf_counter() - start
    wrong = sum(not np.array_equal(one, expected[n % len(images)]) for n, one in enumerate(answers))
    return {"images_per_second": requests / seconds, "wrong_answers": wrong}


def measure_input(dataset, images, batches, warmup=5):
    """Images per second of an input pipeline on its own.

    Args:
        dataset: a `tf.data.Dataset` that doesn't end.
        images: how many images an element holds.
        batches: elements that are timed.
        warmup: elements before them that aren't.

    Returns:
        A dict with "images_per_second", and "processor_ms", what an image takes of all cores, which
        other processes change less.
    """
    iterator = iter(dataset)
    _time(lambda: next(iterator)[0], warmup)
    busy = time.process_time()
    # The mean and not the median: elements wait in a buffer, so single times say nothing.
    seconds = _time(lambda: next(iterator)[0], batches)
    busy = time.process_time() - busy
    return {
        "images_per_second": images * batches / sum(seconds),
        "processor_ms": 1e3 * busy / (images * batches),
    }


def measure_waiting(step, dataset, steps, warmup=2):
    """The share of training's time that goes by waiting for data.

    Args:
        step: takes the tensors of an element of `dataset`, returns one, which is waited for.
        dataset: a `tf.data.Dataset` that doesn't end.
        steps: steps that are timed.
        warmup: steps before them that aren't.

    Returns:
        A dict with "waiting_share" (0..1) and "median_ms" of a whole step, data included.
    """
    iterator = iter(dataset)
    waits, wholes = [], []
    for _ in range(warmup + steps):
        start = time.perf_counter()
        element = next(iterator)
        waits.append(time.perf_counter() - start)
        wait_for(step(*element))
        wholes.append(time.perf_counter() - start)
    waits, wholes = waits[warmup:], wholes[warmup:]
    return {
        "waiting_share": sum(waits) / sum(wholes),
        "median_ms": 1e3 * statistics.median(wholes),
    }


def _time(call, repeats):
    """Seconds of each of `repeats` calls, until the tensor that they return is there."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        wait_for(call())
        seconds.append(time.perf_counter() - start)
    return seconds


def wait_for(tensor):
    """Waits until the device has computed `tensor`, by fetching one number of it."""
    return tf.reshape(tensor, [-1])[0].numpy()


def table(parts):
    """Measurements as text: {name: what a `measure…` function returned}, a line each."""
    width = max(map(len, parts))
    heads = (
        "median",
        "best",
        "images/s",
        "GFLOP/s",
        "of peak",
        "waiting",
        "memory",
        "growth",
        "wrong",
    )
    lines = [" " * width + "".join(f"{head:>12}" for head in heads)]
    for name, values in parts.items():
        cells = (
            _cell(values, "median_ms", "{:.1f} ms"),
            _cell(values, "best_ms", "{:.1f} ms"),
            _cell(values, "images_per_second", "{:.2f}"),
            _cell(values, "gflop_per_second", "{:.1f}"),
            _cell(values, "share_of_peak", "{:.1%}"),
            _cell(values, "waiting_share", "{:.1%}"),
            _cell(values, "peak_gpu_mib" if has_gpu() else "peak_rss_mib", "{} MiB"),
            _cell(values, "growth_gpu_mib" if has_gpu() else "growth_mib", "{:.1f} MiB"),
            _cell(values, "wrong_answers", "{}"),
        )
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def _cell(values, key, form):
    return form.format(values[key]) if key in values else "-"
