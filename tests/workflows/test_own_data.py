"""One command from a folder of images and masks to pictures of what a network makes of them."""

import json
import os
import pathlib
import re
import shlex
import shutil
import time

import numpy as np
import pytest
from PIL import Image

import tfseg
from tfseg import cli, runs
from tfseg.data import write_sample_dataset
from tfseg.errors import TfsegError
from tfseg.training import TrainResult
from tfseg.workflows import own_data
from tfseg.zoo import cache

# A network and a run of seconds.
SMALL = (
    *("--model=drn_d_22", "--model_option=blocks=1,1,1,1,0,0,0,0", "--crop_size=32", "--steps=2"),
    *("--batch_size=2", "--strategy=one_device", "--init_weights="),
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    write_sample_dataset(folder / "data", train=6, val=1, size=(48, 64))
    for kind in ("images", "labels"):
        shutil.copytree(folder / "data" / kind / "train", folder / "my photos" / kind)
    return folder / "my photos"


def run(capfd, *flags):
    """The exit code, and the lines on stdout."""
    code = cli.main(["train", *flags])
    return code, capfd.readouterr()


class Done:
    """An evaluation."""

    def __init__(self, run_dir):
        self.written = [f"{run_dir}/metrics.json", f"{run_dir}/report.html"]
        self.values = {
            "scores": {"mean_iou": 0.5, "pixel_accuracy": 0.75},
            "protocol": {"images": 1, "split": "val"},
            "classes": [{"name": "road", "iou": 0.5, "accuracy": 0.5, "pixels": 1}],
            "confusion_matrix": [[1, 1]],
        }


def test_what_is_said_and_kept(photos, tmp_path, monkeypatch, capfd):
    """With training and evaluation left out."""
    trained = []

    def train(config, progress_bar, allowance, callbacks):
        trained.append((config, allowance))
        return TrainResult(9, None)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_data.trainer, "train", train)
    monkeypatch.setattr(own_data, "score", lambda run_dir, *_, **__: Done(run_dir))
    before = time.monotonic()
    flags = ("--minutes=3", "--init_weights=", "--class_crops=0.125", "--model_option=fold=1")
    code, said = run(capfd, f"--source={photos}", "--run_dir=run", "--data_dir=mine", *flags)
    assert code == 0, said.err
    ((config, allowance),) = trained
    assert config.minutes == 3 and config.steps == 0 and config.class_crops == 0.125
    assert config.model == "resnet18_v1+deeplab_v3plus" and config.model_options == {"fold": 1}
    assert config.data_dir == "mine" and config.run_dir == "run" and config.init_weights == ""
    assert allowance.started >= before and allowance.closing(10.0) > 10
    text = said.out
    assert "mine: 5 train, 1 val; 7 classes" in text and "contact_sheet.html" in text
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  --")]
    assert {"--lr_warmup_steps=20", "--batch_size=4", "--crop_size=48,64"} < set(lines)
    assert not any(line.startswith(("--class_crops", "--steps", "--model_opt")) for line in lines)
    assert "mean IoU 0.5000 and pixel accuracy 0.7500 on 1 image for val" in text
    assert re.search(r"next: .* predict --run_dir=run mine/val_images.txt$", said.err.strip())
    kept = json.loads((tmp_path / "run" / runs.PROPOSAL).read_text())
    assert {"name": "lr_warmup_steps", "value": 20, "reason": "the head is fresh"} in kept[
        "settings"
    ]


@pytest.mark.slow
def test_from_a_folder_to_overlays(photos, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    source = f"--source={photos}"
    code, said = run(capfd, source, "--run_dir=a run", *SMALL)
    assert code == 0, said.err
    text = said.out
    folder = pathlib.Path("a run")
    assert "a run/data: 5 train, 1 val; 7 classes" in text
    assert "  --loss=cross_entropy:1,dice:0.5 " in text and "--crop_size" not in text
    flags = (folder / runs.CONFIG).read_text().splitlines()
    for line in ("--loss=cross_entropy:1,dice:0.5", "--crop_size=32,32", "--steps=2"):
        assert line in flags
    kept = json.loads((folder / runs.PROPOSAL).read_text())
    assert kept["source"] == os.path.realpath(photos)
    assert "steps" not in {one["name"] for one in kept["settings"]}
    overlays = list((folder / "eval/val/overlays").rglob("*.png"))
    assert len(overlays) == 1 and Image.open(overlays[0]).height > 48  # a legend is below
    assert (folder / "eval/val/report.html").exists()
    line = re.findall(r"^next: (.+)$", said.err, re.MULTILINE)
    assert cli.main(shlex.split(line[0])[3:]) == 0
    assert list((folder / "predictions/overlay").rglob("*.png"))

    # The same goes on, here with a longer run: nothing is prepared or chosen again.
    for name in ("prepare", "propose"):
        monkeypatch.setattr(own_data, name, None)
    capfd.readouterr()
    code, said = run(capfd, source, "--run_dir=a run", *SMALL, "--steps=3")
    assert code == 0 and "continuing a run after step 2" in said.err
    assert json.loads((folder / runs.PROPOSAL).read_text()) == kept
    (tmp_path / "other").mkdir()
    with pytest.raises(TfsegError, match=r"was trained on .*my photos: use another `run_dir`"):
        tfseg.train(source=str(tmp_path / "other"), run_dir="a run")


def test_a_source_is_prepared_again_when_it_has_changed(photos, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(photos, source)
    folder = str(tmp_path / "data")
    root = os.path.realpath(source)
    assert not own_data._is_prepared(folder, root)
    tfseg.prepare(source=str(source), data_dir=folder)
    assert own_data._is_prepared(folder, root)
    assert not own_data._is_prepared(folder, os.path.realpath(photos))
    one = next((source / "labels").iterdir())
    os.utime(one, (time.time() + 9, time.time() + 9))
    assert not own_data._is_prepared(folder, root)


def test_names_of_classes_are_given_with_the_source(photos, tmp_path, monkeypatch):
    seen = []

    def stop(data_dir, *_):
        seen.append(own_data.DataInfo.load(data_dir).classes)
        raise KeyboardInterrupt

    monkeypatch.setattr(own_data, "_propose", stop)
    names, others = list("abcdefg"), list("tuvwxyz")
    told = {"source": str(photos), "run_dir": str(tmp_path / "run")}
    for classes in (names, others, ()):
        with pytest.raises(KeyboardInterrupt):
            tfseg.train(**told, classes=classes)
    assert seen == [names, others, others]  # prepared again for other names alone
    with pytest.raises(TfsegError, match=r"data has the classes t, u, .*another `data_dir`"):
        tfseg.train(**told, data_dir=str(tmp_path / "run/data"), classes=names)
    monkeypatch.setattr(own_data, "_earlier", lambda *_: object())
    with pytest.raises(TfsegError, match=r"began with the classes t, u, .*leave out `classes`"):
        tfseg.train(**told, classes=names)


def test_without_weights_a_line_says_what_it_costs(photos, tmp_path, monkeypatch):
    def fails(*_):
        raise TfsegError("can't download it: no route")

    folder, told = str(tmp_path / "data"), []
    tfseg.prepare(source=str(photos), data_dir=folder)
    proposal = own_data._propose(folder, {"minutes": 1.0}, fails, told.append)
    assert "init_weights" not in proposal.values and "new_head" not in proposal.values
    (line,) = told
    assert "no route" in line and "`init_weights=FILE`" in line and "resnet" in line
    assert cache.RELEASES[f"{proposal.values['model'].partition('+')[0]}_imagenet"]


def test_smallest_objects_and_shares(tmp_path):
    from tfseg.workflows.facts import data_facts

    source = tmp_path / "source"
    for kind in ("images", "labels"):
        (source / kind).mkdir(parents=True)
    for number in range(5):
        noise = np.random.default_rng(number).integers(0, 256, (40, 80, 3), np.uint8)
        Image.fromarray(noise).save(source / f"images/{number}.png")
        labels = np.zeros((40, 80), np.uint8)
        labels[:20, :20] = 1
        labels[30:33, 50:53] = labels[30:33, 60:63] = 2
        labels[0, 79] = 1
        Image.fromarray(labels).save(source / f"labels/{number}.png")
    tfseg.prepare(source=str(source), data_dir=str(tmp_path / "data"), classes=["a", "b", "c"])
    facts = data_facts(str(tmp_path / "data"))
    assert (facts.images, facts.val_images, facts.height, facts.width) == (4, 1, 40, 80)
    assert facts.shares == pytest.approx([(3200 - 419) / 3200, 401 / 3200, 18 / 3200])
    assert facts.smallest_object == pytest.approx(3)
    assert "square_root" in facts.weights


def test_what_a_source_needs_to_be_told_is_told_to_prepare(photos, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(photos, source)
    (source / "classes.txt").write_text("a\nb\n")
    with pytest.raises(TfsegError, match=r"`label_map`.*prepare it apart") as error:
        tfseg.train(source=str(source), run_dir=str(tmp_path / "run"))
    told = {"source": str(source), "data_dir": str(tmp_path / "run" / "data")}
    assert error.value.remedy == ("prepare", told)
    label_map = {value: value % 2 for value in range(7)} | {255: 255}
    tfseg.prepare(label_map=label_map, **told)
    assert own_data._is_prepared(told["data_dir"], os.path.realpath(source))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give a config or a `source`"),
        ({"source": "x"}, "`run_dir` is missing"),
        ({"source": "no such folder", "run_dir": "r"}, "no such folder"),
    ],
)
def test_what_python_is_told_wrong(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TfsegError, match=message):
        tfseg.train(**arguments)


@pytest.mark.parametrize(("pictures", "shown"), [(0, 0), (3, 3), (6, 6), (20, 5)])
def test_a_notebook_shows_some_of_the_overlays(pictures, shown, tmp_path):
    for number in range(pictures):
        path = tmp_path / f"{number % 3}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    trained = own_data.Trained(3, None, run_dir="a <run>", overlays=str(tmp_path))
    text = trained._repr_html_()
    assert text.count('<img src="data:image/png;base64,iVBOR') == shown
    assert "a &lt;run&gt;" in text


def test_the_encoders_that_weights_fit_are_told_by_their_file(tmp_path):
    from safetensors.numpy import save_file

    from tfseg import create_classifier
    from tfseg.weights import to_original
    from tfseg.workflows.facts import fitting_models

    model = create_classifier("resnet18_v1", 3)
    save_file(to_original(model), tmp_path / "resnet.safetensors")
    assert "resnet18_v1" in fitting_models(str(tmp_path / "resnet.safetensors"))
    assert fitting_models("drn_d_22_cityscapes") == ("drn_d_22",)
    (tmp_path / "other.pth").write_bytes(b"none")
    assert fitting_models(str(tmp_path / "other.pth")) == ()
