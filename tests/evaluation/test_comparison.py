import json

import numpy as np
import pytest

from tfseg.errors import TfsegError
from tfseg.evaluation.comparison import Contestant, compare, group_by_seed, summarize
from tfseg.evaluation.intervals import Resampling, groups_by, interval
from tfseg.evaluation.measures import Maps, measure
from tfseg.evaluation.metrics import Settings
from tfseg.evaluation.records import Records
from tfseg.reports import comparison as report

MEASURES = ("confusion", "counts", "image", "boundary")


def records(wrong, seed=0, images=12, classes=3, scene=0):
    """Of images of noise, where a share `wrong` of the prediction is drawn anew."""
    truth = np.random.default_rng(scene).integers(0, classes, (images, 10, 10)).astype(np.uint8)
    generator = np.random.default_rng(seed)
    names = [f"v{index % 3}/{index}.png" for index in range(images)]
    result = Records.empty(names, Settings(classes), MEASURES)
    for index, one in enumerate(truth):
        labels = np.where(generator.random(one.shape) < wrong, generator.integers(0, classes), one)
        result.put(index, measure(Maps(one, labels.astype(np.uint8)), result.settings, MEASURES))
    return result


def contestants(*shares):
    return [Contestant(str(x), {str(x): records(x, seed)}) for seed, x in enumerate(shares)]


def test_intervals_of_a_mean_are_those_of_theory():
    """Of the mean of many numbers: 1.96 standard errors."""
    values = np.random.default_rng(0).normal(size=400)
    weights = Resampling(4000).weights([str(i) for i in range(400)])
    assert weights.shape == (4000, 400) and set(weights.sum(1)) == {400}
    low, high = interval(weights @ values / 400)
    error = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_groups_are_drawn_whole():
    names = ["a/1", "a/2", "b/1", "c/1"]
    groups = groups_by(names, "folder")
    weights = Resampling(50, groups=groups).weights(names)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert set(weights[:, [0, 2, 3]].sum(1)) == {3}
    assert groups_by(["x_12.png"], r"_(\d+)") == {"x_12.png": "12"}
    assert groups_by(["x_12.png"], "^[^_]+") == {"x_12.png": "x"}
    with pytest.raises(TfsegError, match="finds nothing in the name a/1"):
        groups_by(names, "z+")
    with pytest.raises(TfsegError, match="is no regular expression"):
        groups_by(names, "(")
    assert Resampling().weights(["one"]) is None
    assert Resampling(groups={"a": "x", "b": "x"}).weights(["a", "b"]) is None


def test_a_summary_has_every_score_with_its_interval():
    one = records(0.3)
    values = summarize(one, Resampling(200))
    for name, entry in values["scores"].items():
        assert entry["value"] == pytest.approx(float(one.value(name)))
        assert entry["low"] < entry["value"] < entry["high"]
    assert [entry["value"] for entry in values["classes"]["iou"]] == one.value("iou").tolist()
    alone = summarize(one.picked([0]))
    assert alone["intervals"] is None and alone["scores"]["mean_iou"]["low"] is None


def test_differences_are_paired():
    values = compare(contestants(0.3, 0.28), Resampling(500))
    score = values["scores"]["mean_iou"]
    (difference,) = score["differences"]
    assert difference["value"] == pytest.approx(
        score["values"][1]["value"] - score["values"][0]["value"]
    )
    same = [Contestant(name, {name: records(0.3)}) for name in "ab"]
    (nothing,) = compare(same)["scores"]["mean_iou"]["differences"]
    assert (nothing["low"], nothing["high"], nothing["sure"]) == (0, 0, False)
    (much,) = compare(contestants(0.1, 0.6))["scores"]["mean_iou"]["differences"]
    assert much["sure"] and much["high"] < 0


def test_seeds_are_one_contestant_with_a_spread():
    seeds = {str(seed): records(0.3, seed) for seed in range(3)}
    values = compare([*contestants(0.1), Contestant("seeds", seeds)], Resampling(100))
    each = [float(one.value("mean_iou")) for one in seeds.values()]
    score = values["scores"]["mean_iou"]
    assert score["values"][1]["value"] == pytest.approx(np.mean(each))
    assert score["spread"] == [None, pytest.approx([min(each), max(each)])]
    assert "seeds: mean of 0 " in report.table(values)


def test_runs_that_differ_by_the_seed_alone():
    settings = {"a": {"--epochs=3"}, "b": {"--epochs=3"}, "c": {"--epochs=4"}, "folder": None}
    groups = [members for _, members in group_by_seed(settings)]
    assert groups == [["a", "b"], ["c"], ["folder"]]


def test_what_cant_be_compared():
    one, other = records(0.1), records(0.1, classes=4)
    with pytest.raises(TfsegError, match="two or more"):
        compare([Contestant("a", {"a": one})])
    with pytest.raises(TfsegError, match=r"a and b can't be compared: .* their settings"):
        compare([Contestant("a", {"a": one}), Contestant("b", {"b": other})])
    other = records(0.1, scene=1)
    with pytest.raises(TfsegError, match=r"the label map of v0/0\.png was another"):
        compare([Contestant("a", {"a": one}), Contestant("b", {"b": other})])
    other = records(0.1)
    other.names = [f"other{name}" for name in other.names]
    with pytest.raises(TfsegError, match="no image in common"):
        compare([Contestant("a", {"a": one}), Contestant("b", {"b": other})])


def test_the_page_and_the_table_say_it(tmp_path):
    values = compare(contestants(0.1, 0.6, 0.2), Resampling(100))
    json.dumps(values)
    text = report.table(values)
    assert "mean IoU " in text and "IoU of class 2" in text and "*" in text
    picture = np.zeros((4, 4, 3), np.uint8)
    report.write(tmp_path / "page.html", values, lambda name: ({"image": picture}, []))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    worse = values["changed"][0]["worse"][0]["image"]
    assert worse in page and "data:image/png" in page and "Cheng et al., 2021" in page
    assert page.count("<details") == len(values["classes"]) and "http" not in page


def test_groups_are_named_after_their_folder():
    same = frozenset({"--epochs=9"})
    names = ["mean/seed-0", "mean/seed-1", "plain", "a/x", "b/x"]
    settings = dict.fromkeys(names[:2], same) | {"plain": None} | {x: {"--y"} for x in names[3:]}
    titles = [title for title, _ in group_by_seed(settings)]
    assert titles == ["mean (2 seeds)", "plain", "a/x and 1 more seed"]
