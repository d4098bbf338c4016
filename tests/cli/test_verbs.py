"""The verbs as people call them: their output, exit codes and files."""

import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tfseg import cli
from tfseg.evaluation.confusion import count_pairs
from tfseg.evaluation.records import Records
from tfseg.models import ModelSpec
from tfseg.weights import save_weights

SHALLOW = {"blocks": [1] * 8}
COMMAND = (sys.executable, "-m", "tfseg")


def call(verb, *arguments):
    command = [*COMMAND, verb, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def errors(result):
    return [line for line in result.stderr.splitlines() if line.startswith("error: ")]


@pytest.fixture
def here(capfd):
    """`call` in this process, which has imported TensorFlow already."""

    def main(verb, *arguments):
        capfd.readouterr()
        code = cli.main([verb, *map(str, arguments)])
        output = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, output.out, output.err)

    return main


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    spec = ModelSpec("drn_d_22", 3, SHALLOW, classes=["sky", "road", "car"])
    spec.save(folder / "model.json")
    save_weights(spec.build(), folder / "best.weights.h5")
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for name in ("images/a/1", "images/2"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20, 30, 3), np.uint8)).save(
            folder / f"{name}.png"
        )
    labels = generator.integers(0, 3, (20, 30)).astype(np.uint8)
    labels[0] = 255
    Image.fromarray(labels).save(folder / "label.png")
    (folder / "val_images.txt").write_text("images/a/1.png\nimages/2.png\n")
    (folder / "val_labels.txt").write_text("label.png\nlabel.png\n")
    info = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": ["sky", "road", "car"]}
    (folder / "info.json").write_text(json.dumps(info))
    return folder


def test_evaluate_writes_the_same_metrics_for_run_and_weights(run_dir, data_dir, tmp_path, here):
    result = here("evaluate", f"--run_dir={run_dir}", f"--data_dir={data_dir}")
    assert result.returncode == 0, result.stderr
    path = run_dir / "eval" / "val" / "metrics.json"
    assert "mean IoU" in result.stdout and str(path) in result.stdout
    metrics = json.loads(path.read_text())
    assert np.sum(metrics["confusion_matrix"]) == 2 * 19 * 30
    protocol = metrics["protocol"]
    assert protocol["images"] == 2 and protocol["ignore_label"] == 255
    assert protocol["scales"] == [1.0] and protocol["flip"] is False
    assert protocol["weights"] == str(run_dir / "best.weights.h5")
    # What comparisons take: each image's own numbers, and its label map.
    records = Records.load(run_dir / "eval" / "val" / "images.npz")
    assert (records.matrix()[:, :3] == metrics["confusion_matrix"]).all()
    assert metrics["details"]["scores"]["mean_iou"]["low"] is not None
    for index, name in enumerate(("images/a/1.png", "images/2.png")):
        labels = np.asarray(Image.open(run_dir / "eval" / "val" / "labels" / name))
        truth = np.asarray(Image.open(data_dir / "label.png"))
        expected = count_pairs(truth, labels, 3)
        np.testing.assert_array_equal(records.dense("confusion")[index], expected)

    # Two replicas, the weights without their run directory, whose normalisation differs, and the
    # protocol whose means run over all classes.
    result = call(
        "evaluate",
        *("--model=drn_d_22", "--model_option=blocks=1,1,1,1,1,1,1,1"),
        *(f"--weights={run_dir}/best.weights.h5", f"--data_dir={data_dir}"),
        *("--strategy=mirrored", "--replicas=2", f"--output_dir={tmp_path}"),
        *("--protocol=ade20k", "--eval_short_sides=16,24", "--visualize", "--nosave_labels"),
    )
    assert result.returncode == 0, result.stderr
    again = json.loads((tmp_path / "metrics.json").read_text())
    assert np.sum(again["confusion_matrix"]) == 2 * 19 * 30
    assert "classes that occur in" in protocol["counted_classes"]
    assert "all classes" in again["protocol"]["counted_classes"]
    assert not (tmp_path / "labels").exists()
    # What a newcomer sees: no word of TensorFlow's all-reduces, and each image's classes by name.
    assert "INFO:tensorflow" not in result.stderr
    for name in ("images/a/1.png", "images/2.png"):
        assert (tmp_path / "panels" / name).is_file()
        following = result.stdout.split(f"{data_dir / name}\n")[1]
        assert re.match(r"  (sky|road|car): \d+\.\d\d%\n", following)


def test_a_run_alone_is_enough(run_dir, data_dir, tmp_path, here):
    record = run_dir / "config.flags"
    record.write_text(f"--data_dir={data_dir}\n# --data_dir=earlier\n")
    try:
        result = call("evaluate", f"--run_dir={run_dir}", "--json=-", "--replicates=0")
        assert result.returncode == 0, result.stderr
        # Nothing but the numbers on standard output; what is for people goes beside it.
        path = run_dir / "eval" / "val" / "metrics.json"
        assert json.loads(result.stdout) == json.loads(path.read_text())
        assert "mean IoU" in result.stderr
        record.write_text("--data_dir=not/here\n")
        result = here("evaluate", f"--run_dir={run_dir}")
        assert errors(result) == [
            f"error: --data_dir is missing, and not/here, which {run_dir} was trained on, "
            "isn't here"
        ]
    finally:
        record.unlink()
    out = tmp_path / "found.json"
    result = here("predict", f"--run_dir={run_dir}", data_dir / "images", f"--json={out}")
    assert result.returncode == 0 and f"{run_dir / 'predictions'} has" in result.stdout
    assert (run_dir / "predictions" / "labels" / "a" / "1.png").is_file()
    found = json.loads(out.read_text())
    assert (found["images"], found["failures"]) == (2, [])
    assert found["output_dir"] == str(run_dir / "predictions")


def test_predict_does_what_it_can_and_ends_with_1(run_dir, data_dir, tmp_path, here):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    good = (data_dir / "images" / "2.png").read_bytes()
    (folder / "deep" / "good.png").write_bytes(good)
    (folder / "bad.png").write_bytes(good[: len(good) // 2])
    out = tmp_path / "out"
    result = here("predict", f"--run_dir={run_dir}", f"--output_dir={out}", folder)
    assert result.returncode == 1
    assert len(errors(result)) == 1 and "bad.png" in errors(result)[0]
    assert "predicted 1 of 2 images" in result.stdout
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    results = {f"{kind}/deep/good.png" for kind in ("labels", "color", "overlay")}
    assert files == {*results, "settings.json"}


@pytest.mark.slow
def test_shares_of_images_that_were_done_before(run_dir, data_dir, tmp_path):
    arguments = (f"--run_dir={run_dir}", f"--output_dir={tmp_path}/out", data_dir / "images")
    assert call("predict", *arguments, "--outputs=overlay").returncode == 0
    # No label map was kept.
    shares = ("--outputs=overlay", f"--shares={tmp_path}/shares.json")
    result = call("predict", *arguments, *shares)
    assert result.returncode == 0, result.stderr
    values = json.loads((tmp_path / "shares.json").read_text())
    assert len(values) == 2
    assert all(sum(one.values()) == pytest.approx(1) for one in values.values())


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("evaluate", ["--data_dir={data}"], "give --run_dir, or --weights"),
        ("evaluate", ["--run_dir={run}"], "--data_dir is missing"),
        ("evaluate", ["--run_dir={data}", "--data_dir={data}"], "model.json"),
        ("evaluate", ["--run_dir={run}", "--data_dir={data}", "--split=test"], "it has val"),
        ("predict", ["--run_dir={run}", "--output_dir=out"], "no image given"),
        ("predict", ["--output_dir=out", "{data}"], "give --run_dir, or --weights"),
    ],
)
def test_user_errors_are_one_line(verb, arguments, message, run_dir, data_dir, here):
    result = here(verb, *(a.format(run=run_dir, data=data_dir) for a in arguments))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert len(errors(result)) == 1
    assert message in errors(result)[0]


@pytest.mark.slow
def test_killed_prediction_finishes_what_is_missing(run_dir, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for number in range(40):
        pixels = np.random.default_rng(number).integers(0, 256, (300, 400, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number:02d}.png")
    arguments = (f"--run_dir={run_dir}", f"--output_dir={out}", str(photos))
    command = [*COMMAND, "predict", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not list(out.glob("labels/*.png")) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert 0 < len(list(out.glob("labels/*.png"))) < 40
    for path in before:
        Image.open(path).load()  # whole, whenever the end came
    result = call("predict", *arguments)
    assert result.returncode == 0, result.stderr
    for kind in ("labels", "color", "overlay"):
        assert len(list((out / kind).glob("*.png"))) == 40
    complete = [name for name in photos.iterdir() if len(list(out.rglob(name.name))) == 3]
    assert len(complete) == 40
    kept = [path for path, time_ns in before.items() if path.stat().st_mtime_ns == time_ns]
    # Of an image whose three pictures were not all there, all three are made again.
    assert len(before) - len(kept) <= 2 * 8
