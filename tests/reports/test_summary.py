import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.reports import summary
from tfseg.visualize import class_names

MATRIX = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]], np.int64)
PROTOCOL = {"split": "val", "images": 2, "scales": [1.0], "flip": False, "weights": "w.weights.h5"}


def test_metrics_state_protocol_scores_classes_and_matrix(tmp_path):
    values = summary.metrics(MATRIX, ["sky", "road", "car"], PROTOCOL)
    path = tmp_path / "eval" / "metrics.json"
    summary.write(path, values)
    stored = json.loads(path.read_text())
    assert stored == values
    assert stored["confusion_matrix"] == MATRIX.tolist()
    assert stored["protocol"]["split"] == "val"
    assert "truth or in the prediction" in stored["protocol"]["counted_classes"]
    assert stored["scores"]["pixel_accuracy"] == 0.7
    assert stored["classes"][1] == {"name": "road", "iou": 4 / 7, "accuracy": 4 / 6, "pixels": 6}
    assert stored["classes"][2] == {"name": "car", "iou": None, "accuracy": None, "pixels": 0}


def test_table_shows_classes_scores_and_protocol():
    facts = {"label_map": {7: 0, 8: 255}, "model_options": {"blocks": [1, 1], "conv": None}}
    text = summary.table(summary.metrics(MATRIX, None, {**PROTOCOL, **facts}))
    lines = text.splitlines()
    assert any(line.endswith(" 7=0 8=255") for line in lines)
    assert any(line.endswith(" blocks=1,1 conv=none") for line in lines)
    assert " ".join(lines[2].split()) == "class 1 0.5714 0.6667 60.00% class 0 (33%)"
    assert any(line.split()[:3] == ["class", "2", "-"] for line in lines)
    assert any(line.startswith("mean IoU") and line.endswith("0.5357") for line in lines)
    assert any(line.split() == ["flip", "no"] for line in lines)
    assert any(line.split() == ["weights", "w.weights.h5"] for line in lines)


def test_table_of_an_empty_evaluation():
    text = summary.table(summary.metrics(np.zeros((2, 2), np.int64), None, {}))
    assert "mean IoU" in text


def test_long_label_maps_take_one_short_line():
    protocol = {"label_map": {str(value): 0 for value in range(182)}}
    text = summary.table(summary.metrics(MATRIX, None, protocol))
    assert any(line.split() == ["label", "map", "182", "values"] for line in text.splitlines())


@given(st.lists(st.sampled_from(["a", "b", "a (2)", "a (3)", "class 1", "class 3"]), max_size=6))
def test_shares_sum_to_one_whatever_the_classes_are_called(classes):
    labels = np.arange(6).repeat(2)
    shares = dict(summary.class_shares(labels, classes))
    assert len(shares) == 6 and sum(shares.values()) == pytest.approx(1)
    # A name doesn't depend on what else the image shows, and the first of a name keeps it.
    names = class_names(classes, 6)
    assert list(shares) == names
    assert [dict(summary.class_shares(labels[:2], classes))] == [{names[0]: 1.0}]
    assert all(names[classes.index(name)] == name for name in classes)


def test_the_second_of_a_name_is_marked():
    classes = ["disc", "square", "disc", "disc (2)", "disc"]
    assert class_names(classes, 5) == ["disc", "square", "disc (3)", "disc (2)", "disc (4)"]
