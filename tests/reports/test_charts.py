"""Training curves, as SVG and PNG."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from tfseg.errors import TfsegError
from tfseg.reports.charts import COLOURS, plot_training, ticks, training_series

LOG = """step,loss_average,learning_rate/encoder,learning_rate/decoder,val_mean_iou
20,2.5,0.01,0.1,
40,1.5,0.005,0.05,0.25
"""


def run(folder, name, log=LOG):
    (folder / name).mkdir()
    (folder / name / "log.csv").write_text(log)
    return str(folder / name)


def test_series_of_two_runs(tmp_path):
    runs = [run(tmp_path, "a"), run(tmp_path, "b")]
    charts = dict(training_series(runs))
    assert list(charts) == ["loss (mean of 20 updates)", "learning rate", "validation mean IoU"]
    names = [name for name, _ in charts["learning rate"]]
    assert names == ["a encoder", "a decoder", "b encoder", "b decoder"]
    assert charts["validation mean IoU"] == [("a", [(40, 0.25)]), ("b", [(40, 0.25)])]


def test_groups_of_one_rate_are_one_curve(tmp_path):
    log = "step,learning_rate/all,learning_rate/filters\n20,0.1,0.1\n40,0.05,0.05\n"
    charts = dict(training_series([run(tmp_path, "a", log)]))
    assert charts == {"learning rate": [("", [(20, 0.1), (40, 0.05)])]}


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_failed_training_is_drawn_up_to_its_failure(kind, tmp_path):
    log = "step,loss_average\n20,0\n40,1\n60,nan\n80,inf\n"
    one = run(tmp_path, "a", log)
    assert training_series([one]) == [("loss (mean of 20 updates)", [("", [(20, 0), (40, 1)])])]
    plot_training([one], tmp_path / f"x.{kind}")
    with pytest.raises(TfsegError, match="nothing was logged yet"):
        plot_training([run(tmp_path, "b", "step,loss_average\n20,nan\n")], tmp_path / "y.svg")


def test_svg_and_png_show_every_curve(tmp_path):
    runs = [run(tmp_path, "a"), run(tmp_path, "b<")]
    plot_training(runs, tmp_path / "x.svg")
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    strokes = [one.get("stroke") for one in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [strokes.count(colour) for colour in COLOURS[:4]] == [3, 3, 1, 1]
    plot_training(runs, tmp_path / "x.png")
    pixels = np.asarray(Image.open(tmp_path / "x.png"))
    for colour in COLOURS[:4]:
        assert (pixels == tuple(bytes.fromhex(colour[1:]))).all(-1).any()


@pytest.mark.parametrize(("low", "high"), [(0, 500), (0, 0.01), (0, 3.46), (-2, 7), (0, 0)])
def test_ticks_span_the_values(low, high):
    values = ticks(low, high)
    assert values[0] <= low + 1e-9 and values[-1] >= high - 1e-9
    assert 2 <= len(values) <= 7


def test_user_errors(tmp_path):
    with pytest.raises(TfsegError, match=r"\.svg or \.png"):
        plot_training([run(tmp_path, "a")], tmp_path / "x.pdf")
    with pytest.raises(TfsegError, match="isn't the run of a training"):
        plot_training([tmp_path], tmp_path / "x.svg")
    with pytest.raises(TfsegError, match="nothing was logged"):
        plot_training([run(tmp_path, "b", LOG[: LOG.index("\n") + 1])], tmp_path / "x.svg")
