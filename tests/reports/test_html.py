"""The report's page: all in one file, with the evaluation's own numbers and pictures."""

import base64
import html.parser
import io

import numpy as np
import pytest
from PIL import Image

from tfseg.data import read_split
from tfseg.evaluation.truth import Truth
from tfseg.reports import html as html_report
from tfseg.reports import summary
from tfseg.reports.gallery import Gallery

PALETTE = [[10, 20, 30], [200, 100, 0]]


@pytest.fixture
def truth(tmp_path):
    labels = np.zeros((8, 12), np.uint8)
    labels[:, 6:] = 1
    labels[0] = 255
    Image.fromarray(labels).save(tmp_path / "label.png")
    for index in range(6):
        Image.fromarray(np.full((8, 12, 3), index, np.uint8)).save(tmp_path / f"{index}.png")
    (tmp_path / "val.txt").write_text("".join(f"{i}.png label.png\n" for i in range(6)))
    return Truth(read_split(tmp_path, "val"), 2)


def predictions():
    """Prediction number i has i wrong columns; the last has no label that counts."""
    for index in range(6):
        labels = np.zeros((8, 12), np.uint8)
        labels[:, 6 + index :] = 1
        yield index, labels


def test_gallery_has_the_best_and_the_worst(truth):
    gallery = Gallery(truth.image_list.names, PALETTE, ["sky", "road"], count=2)
    for index, labels in predictions():
        gallery(truth.predicted(index, labels))
    panels = gallery.panels()
    assert [name for name, *_ in panels["best"]] == ["0.png", "1.png"]
    assert [name for name, *_ in panels["worst"]] == ["5.png", "4.png"]
    _, score, pictures, shown = panels["best"][1]
    assert shown == [("sky", (10, 20, 30)), ("road", (200, 100, 0))]
    assert score == pytest.approx((42 / 49 + 35 / 42) / 2)
    assert list(pictures) == ["image", "truth", "prediction", "error"]
    wrong = (pictures["error"] == (198, 40, 40)).all(-1)
    assert wrong[1:, 6].all() and wrong.sum() == 7
    assert (pictures["image"] == 1).all()


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + " "


def test_page_is_self_contained(truth, tmp_path):
    gallery = Gallery(truth.image_list.names, PALETTE, ["sky", "road"], count=2)
    total = 0
    for index, labels in predictions():
        gallery(truth.predicted(index, labels))
        total = total + truth.matrix(index, labels)
    protocol = {"model": "drn<22>", "split": "val", "images": 6, "crf": {"iterations": 10}}
    values = summary.metrics(total, ["sky & sea", "road"], protocol)
    (tmp_path / "log.csv").write_text("step,loss_average\n1,2\n2,1\n")
    html_report.write(tmp_path / "report.html", values, gallery.panels(), PALETTE, tmp_path)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert "prefers-color-scheme:dark" in text and "http://www.w3.org/2000/svg" in text
    assert "drn<22> · val" in page.text and "sky & sea" in page.text
    assert "iterations=10" in page.text
    swatches = [attrs["style"] for tag, attrs in page.tags if tag == "b" and "style" in attrs]
    # The best class first; then each picture's legend.
    assert swatches[:2] == ["background:rgb(10, 20, 30)", "background:rgb(200, 100, 0)"]
    assert f"{values['scores']['mean_iou']:.1%}" in page.text
    images = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 4 * 4 and not any(tag in ("link", "script") for tag, _ in page.tags)
    for source in images:
        picture = Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2])))
        assert picture.size == (12, 8)
    # Rows of the matrix are shares of the true class.
    share = 100 * total[0, 0] / total[0].sum()
    assert f"{share:.0f}" in page.text


def test_page_of_an_empty_evaluation(tmp_path):
    values = summary.metrics(np.zeros((2, 2), np.int64), None, {"model": "m"})
    html_report.write(tmp_path / "report.html", values, {"best": [], "worst": []}, PALETTE)
    assert "—" in (tmp_path / "report.html").read_text()


def test_classes_without_a_score_come_behind_those_of_0():
    scores = {"absent": None, "wrong": 0.0, "half": 0.5}
    classes = [{"name": name, "iou": iou} for name, iou in scores.items()]
    bars = html_report._bars(classes, [(0, 0, 0)] * 3)
    assert sorted(scores, key=bars.index) == ["half", "wrong", "absent"]
