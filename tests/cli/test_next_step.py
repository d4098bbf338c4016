"""The line that a verb prints last can be copied and runs, whatever the data folder has."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from tfseg import cli
from tfseg.data import write_sample_dataset

# The line's own run would take an hour: these flags behind it make it one of seconds.
SMALL = {
    "train": (
        *("--epochs=0", "--steps=1", "--crop_size=32", "--batch_size=2", "--strategy=one_device"),
        "--model_option=blocks=1,1,1,1,0,0,0,0",
    ),
    "classify": (
        *("--epochs=0", "--steps=1", "--crop_size=32", "--resize=32", "--batch_size=2"),
        *("--strategy=one_device", "--model_option=blocks=1,1,1,1,1,0,0,1"),
    ),
}


@pytest.fixture
def follow(tmp_path, monkeypatch, capfd):
    """Function (words of the command) -> the verbs that follow one another, each by the line that
    the one before printed, to the last that prints none."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        words, verbs = list(words), []
        while words:
            verb, *flags = words
            training = verb == "train" or words[:2] == ["classify", "train"]
            capfd.readouterr()
            assert cli.main([verb, *flags, *(SMALL[verb] if training else ())]) == 0, words
            results, output = capfd.readouterr()
            # Of what is printed, pipes get results alone.
            assert "next: " not in results
            verbs.append(verb)
            lines = re.findall(r"^next: +(.*)", output, re.MULTILINE)
            assert len(lines) <= 1
            words = shlex.split(lines[0])[3:] if lines else []
            assert not lines or shlex.split(lines[0])[1:3] == ["-m", "tfseg"]
            assert len(verbs) < 9
        return verbs

    return run


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "data"
    write_sample_dataset(folder, train=3, val=2, size=(48, 64))
    return folder


ALL = ["check", "train", "evaluate", "predict", "export"]


def test_the_whole_way_of_a_folder_of_files(scenes, tmp_path, follow):
    """Without names of classes, in folders with a space and a quote, and a run of the same name."""
    source = tmp_path / "my photo's"
    for kind in ("images", "labels"):
        shutil.copytree(scenes / kind / "train", source / kind)
    (tmp_path / "runs" / "data_dir").mkdir(parents=True)
    (tmp_path / "exports").mkdir()
    names = (
        "--dataset=folder",
        f"--source={source}",
        "--val_share=0.4",
        "--data_dir=it's/data dir",
    )
    assert follow("prepare", *names) == ["prepare", *ALL]
    assert (tmp_path / "runs" / "data_dir-2" / "best.weights.h5").exists()
    assert (tmp_path / "exports" / "data_dir-2" / "1" / "saved_model.pb").exists()
    assert (tmp_path / "predictions" / "data_dir-2" / "labels").is_dir()


def without_val(folder):
    for path in folder.glob("val_*.txt"):
        path.unlink()


def pairs(folder):
    """Lists of pairs in place of two lists."""
    for split in ("train", "val"):
        lists = [folder / f"{split}_{kind}.txt" for kind in ("images", "labels")]
        rows = zip(*(path.read_text().split() for path in lists), strict=True)
        (folder / f"{split}.txt").write_text("".join(f"{a} {b}\n" for a, b in rows))
        for path in lists:
            path.unlink()


def only_val(folder):
    for path in folder.glob("train_*.txt"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "flags", "verbs"),
    [
        pytest.param(without_val, ("--splits=train",), ALL, marks=pytest.mark.slow),
        # There is no list of images alone.
        pytest.param(pairs, (), ALL[:3], marks=pytest.mark.slow),
        (only_val, ("--splits=val",), ALL[:1]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_from_what_a_folder_has(change, flags, verbs, scenes, tmp_path, follow):
    folder = tmp_path / "data"
    shutil.copytree(scenes, folder)
    change(folder)
    assert follow("check", "--data_dir=data", *flags) == verbs


def test_weights_go_with_what_says_what_they_are(scenes, tmp_path, follow):
    from tfseg import create_model
    from tfseg.weights import save_original

    option = "--model_option=blocks=1,1,1,1,0,0,0,0"
    model = create_model("drn_d_22", 7, blocks=[1, 1, 1, 1, 0, 0, 0, 0])
    save_original(model, tmp_path / "a b.safetensors")
    weights = (f"--weights={tmp_path}/a b.safetensors", "--model=drn_d_22", option)
    call = (f"--data_dir={scenes}", "--output_dir=scores", "--split=train", *weights)
    assert follow("evaluate", *call) == ALL[2:]
    assert json.loads((tmp_path / "exports/a_b.safetensors/1/assets/tfseg.json").read_text())


@pytest.mark.parametrize(
    "splits", [pytest.param(("train", "val"), marks=pytest.mark.slow), ("train",)]
)
def test_folders_of_classes(splits, tmp_path, follow):
    for split in splits:
        for name in ("a", "b"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(picture).save(tmp_path / "photos" / split / name / "1.png")
    flags = ("--data_dir=photos", "--model=drn_c_26", "--run_dir=run")
    val = () if "val" in splits else ("--val_split=",)
    assert follow("classify", "train", *flags, *val) == ["classify", "classify"]
