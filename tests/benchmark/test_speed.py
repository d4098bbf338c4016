import threading

import numpy as np
import pytest
import tensorflow as tf

from tfseg import machine, models
from tfseg.benchmark import dilated, speed
from tfseg.models import create_model


class Clock:
    """A clock that moves only when told."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return 2 * self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    return clock


def test_flops_by_hand():
    images = tf.TensorSpec([2, 8, 6, 3])

    def convolutions(x):
        x = tf.nn.conv2d(x, tf.zeros([3, 3, 3, 5]), 2, "SAME")  # 4 x 3
        x = tf.nn.conv2d(x, tf.zeros([3, 3, 5, 5]), 1, "SAME", dilations=2)
        x = tf.nn.depthwise_conv2d(x, tf.zeros([3, 3, 5, 1]), [1, 1, 1, 1], "SAME")
        return tf.nn.conv2d_transpose(x, tf.zeros([4, 4, 7, 5]), [2, 8, 6, 7], 2)

    pixels = 2 * 4 * 3
    expected = 2 * pixels * (9 * 3 * 5 + 9 * 5 * 5 + 9 * 5 + 16 * 7 * 5)
    assert speed.count_flops(convolutions, images) == expected

    matrices = (tf.TensorSpec([4, 10]), tf.TensorSpec([6, 10]))
    product = speed.count_flops(lambda a, b: tf.matmul(a, b, transpose_b=True), *matrices)
    assert product == 2 * 4 * 10 * 6


def test_flops_inside_a_nested_function():
    inner = tf.function(lambda a: tf.matmul(a, a))
    assert speed.count_flops(lambda a: inner(a) + 1, tf.TensorSpec([3, 3])) == 54


def test_flops_of_a_drn():
    # By hand, stage by stage: 68.1e9 for batch 2 of 256x256, 1/16 of it for 64x64.
    model = create_model("drn_d_22", 19)
    spec = tf.TensorSpec([2, 64, 64, 3])
    flops = speed.count_flops(lambda x: model(x, training=False)["logits"], spec)
    assert flops == pytest.approx(68.1e9 / 16, rel=0.01)


def test_measure_leaves_warm_up_out_and_takes_the_median(clock):
    durations = iter([9.0, 9.0, 0.1, 0.2, 0.9])

    def call():
        clock.now += next(durations)
        return tf.zeros([2])

    values = speed.measure(call, images=4, gflop=10.0, repeats=3)
    assert values["median_ms"] == pytest.approx(200)
    assert values["best_ms"] == pytest.approx(100)
    assert values["images_per_second"] == pytest.approx(20)
    assert values["gflop_per_second"] == pytest.approx(50)
    assert values["peak_rss_mib"] > 0


@pytest.mark.skipif("host" not in machine.memory_in_use(), reason="this C library can't tell")
def test_growth_is_what_is_kept_and_not_what_the_allocator_holds():
    kept = []

    def passing():
        return tf.constant([float(len(bytearray(2**22)))])

    def keeping():
        kept.append(bytearray(2**22))
        return tf.zeros([1])

    assert speed.measure(passing, 1, 1.0, repeats=8)["growth_mib"] == pytest.approx(0, abs=2)
    assert speed.measure(keeping, 1, 1.0, repeats=8)["growth_mib"] == pytest.approx(32, abs=2)


class Source:
    """A data set whose elements take `seconds` each."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    def __iter__(self):
        while True:
            self.clock.now += self.seconds
            yield tf.zeros([1]), tf.zeros([1])


def test_waiting_share(clock):
    def step(images, labels):
        clock.now += 0.3
        return images

    values = speed.measure_waiting(step, Source(clock, 0.1), steps=5)
    assert values["waiting_share"] == pytest.approx(0.25)
    assert values["median_ms"] == pytest.approx(400)


def test_input_rate(clock):
    values = speed.measure_input(Source(clock, 0.1), images=4, batches=10)
    assert values["images_per_second"] == pytest.approx(40)
    assert values["processor_ms"] == pytest.approx(50)


def test_requests_at_once_are_checked(clock):
    calls, together, lock = [], threading.Barrier(4, timeout=30), threading.Lock()

    def answer(image):
        with lock:
            calls.append(image)
            clock.now += 0.5
            late = len(calls) > 2
        if late:
            together.wait()  # the four requests run side by side
        return image + (late and image == 7)

    values = speed.measure_requests(answer, [7, 8], requests=4)
    assert values == {"images_per_second": pytest.approx(2), "wrong_answers": 2}


def test_run_takes_the_best_peak_for_the_share(monkeypatch):
    peaks = iter([100.0, 300.0, 200.0, 400.0])  # float32, bfloat16, before and after
    monkeypatch.setattr(speed, "matmul_peak", lambda _: next(peaks))
    parts = {"work": lambda: {"gflop_per_second": 150.0}}
    results, found = speed.run(parts, "float32")
    assert found == {"float32": 200.0, "bfloat16": 400.0}
    assert results["work"]["share_of_peak"] == 0.75


def test_table_has_a_line_per_part():
    parts = {"forward": {"median_ms": 12.34, "share_of_peak": 0.871}, "input": {}}
    lines = speed.table(parts).splitlines()
    assert lines[1].split()[:3] == ["forward", "12.3", "ms"]
    assert "87.1%" in lines[1]
    assert lines[2].split()[0] == "input"


def _has_float16():
    inputs, kernel = tf.ones([1, 8, 8, 1], tf.float16), tf.ones([3, 3, 1, 1], tf.float16)
    try:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=2)
        tape.gradient(outputs, inputs)
    except tf.errors.InvalidArgumentError:
        return False
    return True


@pytest.mark.parametrize(
    "precision",
    ["float32", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bfloat16", "float16"))],
)
def test_train_step_is_the_trainers(precision):
    if precision == "float16" and not _has_float16():
        pytest.skip("this processor has no gradient of dilated convolutions in float16")
    with models.precision(precision):
        model = create_model("drn_d_22", 3)
    specs = (tf.TensorSpec([2, 24, 24, 3]), tf.TensorSpec([2, 24, 24], tf.int32))
    step = speed.create_train_step(model, specs, precision)
    before = model.get_layer("decoder").variables[0].numpy()
    images, labels = tf.random.normal([2, 24, 24, 3]), tf.ones([2, 24, 24], tf.int32)
    for _ in range(8):  # float16 leaves out updates until it has found its loss scale
        metrics = step(images, labels).numpy()
    assert np.isfinite(metrics).all()
    assert not np.array_equal(model.get_layer("decoder").variables[0].numpy(), before)


def test_machine_names_its_parts():
    values = machine.describe()
    assert values["cores"] >= 1 and values["processor"] and values["tensorflow"] == tf.__version__


def test_cost_of_smoothing(monkeypatch):
    """Each layer's time is compared with the plain one's in the same round."""
    rows = {name: dilated.LAYERS[name] for name in ("regular", "smooth_SSC")}
    monkeypatch.setattr(dilated, "LAYERS", rows)
    # Two rounds that don't count and three that do, each beginning with another layer.
    orders = [(2.0, 3.0), (3.0, 2.0)] * 3
    factors = (9, 9, 1, 5, 2)
    rounds = iter(
        [f * s for f, order in zip(factors, orders, strict=False) for s in order for _ in "ab"]
    )
    seconds = dilated._seconds

    def told(call, images):
        assert seconds(call, images) > 0
        return next(rounds)

    monkeypatch.setattr(dilated, "_seconds", told)
    results = dilated.measure_layers(9, 4, 3, repeats=3)
    assert results["smooth_SSC"]["training_cost"] == pytest.approx(1.5)
    assert results["smooth_SSC"]["forward_ms"] == pytest.approx(6000)
    assert "+50%" in dilated.table(results)
