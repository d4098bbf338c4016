"""What a benchmark is made of, on a network that is quick to trace."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg import benchmark
from tfseg.cli import main
from tfseg.data import Augmentation, DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.inference.predictor import Predictor
from tfseg.models import ModelSpec

SPEC = ModelSpec("drn_d_22", 2, {"blocks": [1, 1, 0, 0, 0, 0, 0, 0]})
SIZE = (16, 24)


def test_parts_of_a_network_and_its_data(tmp_path):
    for name in "ab":
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / f"{name}_label.png")
    (tmp_path / "train.txt").write_text("".join(f"{n}.png {n}_label.png\n" for n in "ab"))
    image_list, info = read_split(tmp_path, "train"), DataInfo([0.5] * 3, [0.2] * 3)
    parts, step = benchmark.network_parts(SPEC, SIZE, 2, repeats=2, requests=3)
    assert list(parts) == ["forward", "forward, folded", "inference", "training", "3 requests"]
    parts |= benchmark.data_parts(
        image_list, info, SPEC, Augmentation(SIZE), 2, step=step, repeats=2
    )
    found = {name: part() for name, part in parts.items()}
    assert found["training"]["median_ms"] > 0
    # Twice the forward's work again for the gradients.
    assert found["training"]["gflop"] == pytest.approx(3 * found["forward"]["gflop"])
    assert found["forward, folded"]["gflop"] == found["forward"]["gflop"] > 0
    assert found["input"]["images_per_second"] > 0 < found["input"]["processor_ms"]
    assert 0 <= found["training with input"]["waiting_share"] <= 1
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(TfsegError, match=r"b\.png"):
        parts["input"]()


@pytest.mark.slow
def test_compiled_parts(monkeypatch):
    compiled = []
    make = tf.function

    def counting(*args, **settings):
        compiled.append(settings.get("jit_compile"))
        return make(*args, **settings)

    monkeypatch.setattr(tf, "function", counting)
    parts, _ = benchmark.network_parts(SPEC, SIZE, 2, xla=True, repeats=1)
    # Two forward passes and a replica's part of the step.
    assert compiled.count(True) == 3
    assert list(parts) == ["forward", "forward, folded", "training"]
    assert all(part()["median_ms"] > 0 for part in parts.values())


@pytest.mark.parametrize("kind", ["--input", "--evaluation", "--dilated_layers", "--saved_model=x"])
def test_what_compiles_nothing_refuses_to(kind, capsys):
    assert main(["benchmark", kind, "--xla"]) == 1
    message = f"error: --xla does nothing beside {kind.replace('=x', '=FOLDER')}"
    assert message == capsys.readouterr().err.splitlines()[-1]


def test_parts_of_an_export(tmp_path):
    tfseg.export(Predictor(SPEC, SPEC.build()), tmp_path / "1")
    parts, card = benchmark.saved_model_parts(tmp_path / "1", SIZE, 1, repeats=2, requests=2)
    assert list(parts) == ["load and first answer", "labels", "2 requests"]
    assert (card["model"], card["num_classes"]) == ("drn_d_22", 2)
    assert parts["labels"]()["images_per_second"] > 0
    with pytest.raises(TfsegError, match="nothing"):
        benchmark.saved_model_parts(tmp_path / "nothing", SIZE, 1)
