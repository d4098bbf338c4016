"""What part of an evaluation is the network: counted, with a clock of our own."""

import itertools
import types

import numpy as np
import pytest
from PIL import Image

from tfseg.benchmark import evaluation
from tfseg.data import DataInfo, read_split
from tfseg.inference import Protocol
from tfseg.inference.predictor import Predictor
from tfseg.models import ModelSpec


def test_network_sees_what_the_evaluation_shows_it(tmp_path, monkeypatch):
    for name, size in (("a", (16, 24)), ("b", (16, 24)), ("c", (24, 16))):
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / f"{name}_label.png")
    (tmp_path / "val.txt").write_text("".join(f"{n}.png {n}_label.png\n" for n in "abc"))
    spec = ModelSpec("drn_d_22", 2, {"blocks": [1, 1, 0, 0, 0, 0, 0, 0]})
    predictor = Predictor(spec, spec.build(), Protocol(scales=(0.5, 1.0), flip=True))
    seen = []

    class Spied(evaluation._Network):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            seen.append(self._counts)

    # Each reading of the clock is a second later: whole evaluations take one.
    times = itertools.count()
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(times)))
    monkeypatch.setattr(evaluation, "_Network", Spied)
    monkeypatch.setattr(evaluation, "time", clock)
    info = DataInfo([0.5] * 3, [0.2] * 3)
    values = evaluation.measure_evaluation(predictor, read_split(tmp_path, "val"), info, repeats=1)
    # Both sides of each image at both scales.
    assert dict(seen[0]) == {(8, 12): 4, (16, 24): 4, (12, 8): 2, (24, 16): 2}
    # A second for each of the four sizes, and three images in the second of the whole.
    assert values == {"images_per_second": 3.0, "network_share": pytest.approx(4.0)}
