import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfseg.data import read_split
from tfseg.errors import TfsegError
from tfseg.evaluation import Evaluator
from tfseg.inference import Protocol
from tfseg.models import Preprocessing, create_model

CLASSES = 4
SHALLOW = {"blocks": [1, 1, 1, 1, 0, 0, 0, 0]}
PREPROCESSING = Preprocessing()
# Sizes that no stride divides, a single pixel, and lines of pixels: seven, an odd number.
SIZES = ((1, 1), (3, 50), (33, 47), (40, 9), (1, 30), (17, 1), (24, 24))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for index, (height, width) in enumerate(SIZES):
        image = generator.integers(0, 256, (height, width, 3), np.uint8)
        labels = generator.integers(0, CLASSES, (height, width)).astype(np.uint8)
        labels[: index * height // 10] = 255
        Image.fromarray(image).save(folder / f"image{index}.png")
        Image.fromarray(labels).save(folder / f"label{index}.png")
    for kind in ("image", "label"):
        lines = "".join(f"{kind}{index}.png\n" for index in range(len(SIZES)))
        (folder / f"val_{kind}s.txt").write_text(lines)
    return folder


@pytest.fixture(scope="module")
def weights():
    model = create_model("drn_d_22", CLASSES, **SHALLOW)
    # A sharper head: fresh ones predict nearly the same class everywhere.
    return [10 * value if "decoder" in v.path else value for v, value in _values(model)]


def _values(model):
    return [(variable, variable.numpy()) for variable in model.variables]


def build(weights, strategy=None):
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = create_model("drn_d_22", CLASSES, **SHALLOW)
        for variable, value in zip(model.variables, weights, strict=True):
            variable.assign(value)
    return model


def expected_matrix(model, data_dir):
    """The definition, in plain NumPy."""
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    for index in range(len(SIZES)):
        image = np.asarray(Image.open(data_dir / f"image{index}.png"))
        labels = np.asarray(Image.open(data_dir / f"label{index}.png"))
        inputs = PREPROCESSING.normalize(image)[None]
        predictions = np.asarray(model.probabilities(inputs))[0].argmax(-1)
        valid = labels != 255
        np.add.at(matrix, (labels[valid], predictions[valid]), 1)
    return matrix


def test_matrix_is_the_definition_and_replicas_do_not_change_it(data_dir, weights, two_replicas):
    image_list = read_split(str(data_dir), "val")
    model = build(weights)
    calls = []
    matrix = Evaluator(model, PREPROCESSING)(image_list, lambda *counts: calls.append(counts))
    assert matrix.dtype == np.int64
    assert np.array_equal(matrix, expected_matrix(model, data_dir))
    assert (matrix.sum(axis=0) > 0).sum() > 1  # more than one class was predicted
    assert calls == [(done, 7) for done in range(1, 8)]

    evaluator = Evaluator(build(weights, two_replicas), PREPROCESSING, strategy=two_replicas)
    assert np.array_equal(evaluator(image_list), matrix)
    # Repeated, as in training: the same counts from the same trace.
    assert np.array_equal(evaluator(image_list), matrix)
    assert evaluator._step.experimental_get_tracing_count() == 1


def test_batches_replicas_and_tiles_count_the_same(data_dir, weights, two_replicas):
    for kind in ("image", "label"):
        lines = (data_dir / f"val_{kind}s.txt").read_text()
        (data_dir / f"thrice_{kind}s.txt").write_text(3 * lines)
    expected = 3 * Evaluator(build(weights), PREPROCESSING)(read_split(str(data_dir), "val"))
    image_list = read_split(str(data_dir), "thrice")
    # No image is larger than a tile, so that tiles change nothing.
    for strategy, batch_size, tile_size in ((None, 4, 0), (two_replicas, 4, 0), (None, 2, 64)):
        evaluator = Evaluator(
            build(weights, strategy),
            PREPROCESSING,
            protocol=Protocol(tile_size=tile_size),
            batch_size=batch_size,
            strategy=strategy,
        )
        np.testing.assert_array_equal(evaluator(image_list), expected)


def test_label_map_and_ignore_label(data_dir, weights):
    image_list = read_split(str(data_dir), "val")
    model = build(weights)
    matrix = Evaluator(model, PREPROCESSING)(image_list)
    label_map = {0: 1, 1: 0, 2: 2, 3: 255, 255: 255}
    swapped = Evaluator(model, PREPROCESSING, label_map=label_map)(image_list)
    assert np.array_equal(swapped[[1, 0, 2]], matrix[:3])
    assert swapped[3].sum() == 0


def test_label_out_of_range_names_the_file(data_dir):
    image_list = read_split(str(data_dir), "val")
    model = create_model("drn_d_22", 2, **SHALLOW)
    with pytest.raises(TfsegError, match=r"label\d\.png"):
        Evaluator(model, PREPROCESSING)(image_list)


WORKER = """
import sys
import numpy as np
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
from tfseg.data import read_split
from tfseg.evaluation import Evaluator
from tfseg.evaluation.recorder import Recorder
from tfseg.models import Preprocessing, create_model
data_dir, weights, output = sys.argv[1:]
values = np.load(weights)
with strategy.scope():
    model = create_model("drn_d_22", 4, blocks=[1, 1, 1, 1, 0, 0, 0, 0])
    for variable, key in zip(model.variables, values.files):
        variable.assign(values[key])
image_list = read_split(data_dir, "val")
evaluator = Evaluator(model, Preprocessing(), strategy=strategy)
with Recorder(image_list.names, list("abcd")) as recorder:
    matrix = evaluator(image_list, on_prediction=recorder)
assert not recorder.records.whole
recorder.gather(evaluator.sum_over_workers)
assert recorder.records.whole and (recorder.records.matrix()[:, :4] == matrix).all()
np.save(output, matrix)
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


# A training of two workers validates with both: tests/training/test_processes.py.
@pytest.mark.slow
def test_two_workers_count_the_same(data_dir, weights, tmp_path):
    np.savez(tmp_path / "weights.npz", *weights)
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = []
    for index in range(2):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        arguments = (data_dir, tmp_path / "weights.npz", tmp_path / f"matrix{index}.npy")
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, *map(str, arguments)],
                env={**os.environ, "TF_CONFIG": json.dumps(config)},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        errors = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    matrix = Evaluator(build(weights), PREPROCESSING)(read_split(str(data_dir), "val"))
    for index in range(2):
        assert np.array_equal(np.load(tmp_path / f"matrix{index}.npy"), matrix)
