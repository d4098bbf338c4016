"""What goes wrong in a user's hands: each ends in one clear line, and earlier checkpoints stay."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfseg.data import write_sample_dataset

ROOT = pathlib.Path(__file__).parents[2]

# Imports what the verbs need once and forks for each call, as the imports take most of the time.
# Answers each line of JSON [verb, arguments, largest file in bytes or 0] with one of {"code",
# "error", "changed"}: exit code, stderr, and whether the run directory's checkpoints or best
# weights have changed.
DRIVER = """
import hashlib, json, os, pathlib, resource, sys, tempfile
run = pathlib.Path(sys.argv[1])
import tfseg.training, tfseg.inference.predict_files, tensorflow

def digest():
    files = [run / "best.weights.h5", *sorted((run / "checkpoints").glob("*"))]
    return [(str(f), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files if f.exists()]

def call(verb, arguments, limit):
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return tfseg.cli.main([verb, *arguments])

for line in sys.stdin:
    verb, arguments, limit = json.loads(line)
    before = digest()
    with tempfile.TemporaryFile() as error, tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(error.fileno(), 2)
            code = 70
            try:
                code = call(verb, arguments, limit)
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        error.seek(0)
        text = error.read().decode()
    print(json.dumps({"code": code, "error": text, "changed": digest() != before}), flush=True)
"""

NETWORK = ["--model=drn_d_22", "--model_option=blocks=1,1,1,1,0,0,0,0"]
TRAIN = [*NETWORK, "--crop_size=32", "--batch_size=2", "--strategy=one_device"]
NEW = ["--run_dir={new}", *TRAIN, "--steps=1"]
AGAIN = ["--run_dir={run}", "--data_dir={good}", *TRAIN, "--steps=2"]
EVALUATE = ["--data_dir={good}", "--output_dir={new}"]


def edit_label(change):
    def spoil(folder):
        path = folder / "labels/train/0000.png"
        change(np.array(Image.open(path)), path)

    return spoil


def relabel(folder, change):
    for path in (folder / "labels/train").glob("*.png"):
        Image.fromarray(change(np.array(Image.open(path)))).save(path)


def cut(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def truncated_jpeg(folder):
    path = folder / "images/train/0000.png"
    Image.open(path).save(path, "JPEG")
    cut(path)


def out_of_range(label, path):
    label[3, :5] = 77
    Image.fromarray(label).save(path)


def write_info(folder, **values):
    path = folder / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


# {what is wrong: (how to spoil the data folder, words of the message)}, for `train`
DATA = {
    "missing list": (lambda f: (f / "train_images.txt").unlink(), "no list of the split 'train'"),
    "missing label list": (lambda f: (f / "val_labels.txt").unlink(), "val_labels.txt is missing"),
    "unequal lists": (lambda f: cut(f / "train_labels.txt"), "lists 4 images, but"),
    "empty list": (lambda f: (f / "val_images.txt").write_text("\n"), "val_images.txt is empty"),
    "list in another encoding": (
        lambda f: (f / "train_images.txt").write_bytes(b"stra\xdfe.png\n"),
        "train_images.txt, line 1: text that is not UTF-8",
    ),
    "missing image": (
        lambda f: (f / "images/train/0000.png").unlink(),
        "images/train/0000.png does not exist",
    ),
    "truncated PNG": (lambda f: cut(f / "images/train/0000.png"), "0000.png can't be read"),
    "truncated JPEG": (truncated_jpeg, "images/train/0000.png can't be read"),
    "empty image": (
        lambda f: cut(f / "images/val/0000.png", 0),
        "0000.png is empty: the file has 0 bytes",
    ),
    "size mismatch": (
        edit_label(lambda label, path: Image.fromarray(label[:30]).save(path)),
        "is 64x48, but its label map",
    ),
    "label out of range": (edit_label(out_of_range), "has the value 77 in 5 pixels; allowed are"),
    "every training pixel ignored": (
        lambda f: relabel(f, lambda label: label * 0 + 255),
        "the split train has no pixel that counts: all pixels of the 4 label maps are ignored",
    ),
    "RGB label map": (
        edit_label(lambda label, path: Image.fromarray(np.dstack([label] * 3)).save(path)),
        "has 8-bit RGB pixels",
    ),
    "16-bit label map": (
        edit_label(lambda label, path: Image.fromarray(label.astype(np.uint16)).save(path)),
        "has 16-bit grey pixels",
    ),
    "no info.json": (lambda f: (f / "info.json").unlink(), "info.json is missing"),
    "info.json is no JSON": (lambda f: cut(f / "info.json"), "info.json is not valid JSON"),
    "means in 0..255": (lambda f: write_info(f, mean=[90, 90, 90]), "info.json: mean must be"),
    "label_map beyond the classes": (
        lambda f: write_info(f, label_map={"0": 9}),
        "the label_map of info.json takes 0 to 9",
    ),
}

# {what is wrong: (verb, arguments, words of the message)}
CALLS = {
    "unknown split": ("train", ["--data_dir={good}", *NEW, "--val_split=exam"], "'exam'"),
    "no data folder": ("train", ["--data_dir={new}", *NEW], "no data folder"),
    "crop below the stride": (
        "train",
        ["--data_dir={good}", *NEW, "--crop_size=7"],
        "--crop_size=7,7 is smaller than the output stride",
    ),
    "unknown model": (
        "train",
        ["--data_dir={good}", *NEW, "--model=drn_d_2"],
        "unknown model 'drn_d_2'; did you mean drn_d_",
    ),
    "unknown option": (
        "train",
        ["--data_dir={good}", *NEW, "--model_option=output_strid=8"],
        "did you mean output_stride",
    ),
    "learning rate nan": (
        "train",
        ["--data_dir={good}", *NEW, "--learning_rate=nan"],
        "--learning_rate must be above 0, not nan",
    ),
    "learning rate below 0": (
        "train",
        ["--data_dir={good}", *NEW, "--learning_rate=-1"],
        "--learning_rate must be above 0, not -1.0",
    ),
    "no length": (
        "train",
        ["--data_dir={good}", *NEW, "--steps=0"],
        "one of --steps, --epochs and --minutes",
    ),
    "text for a number": ("train", ["--data_dir={good}", *NEW, "--steps=x"], "--steps=x"),
    "unknown flag": (
        "train",
        ["--data_dir={good}", *NEW, "--step=9"],
        "unknown flag '--step'; did you mean --steps",
    ),
    "no flag file": ("train", ["--flagfile={new}"], "there is no flag file"),
    "argument without a flag": ("train", ["good", *NEW], "unexpected argument 'good'"),
    "run directory below a file": (
        "train",
        ["--data_dir={good}", *NEW, "--run_dir={good}/info.json/run"],
        "can't make --run_dir=",
    ),
    "initial weights of no kind": (
        "train",
        ["--data_dir={good}", *NEW, "--init_weights={good}/info.json"],
        "info.json",
    ),
    "resumed with another model": ("train", [*AGAIN, "--model=drn_c_26"], "with model drn_d_22"),
    "resumed with another seed": ("train", [*AGAIN, "--seed=1"], "with seed 0, not 1"),
    "more classes than names": (
        "train",
        ["--data_dir={good}", *NEW, "--num_classes=8"],
        "info.json: classes has 7 entries for a model of 8 classes",
    ),
    "resumed from a damaged checkpoint": (
        "train",
        [*AGAIN, "--run_dir={damaged}"],
        "has no whole checkpoint",
    ),
    "no run directory": ("evaluate", [*EVALUATE, "--run_dir={new}"], "there is no run"),
    "run without weights": ("evaluate", [*EVALUATE, "--run_dir={unfinished}"], "yet"),
    "damaged weights": (
        "evaluate",
        [*EVALUATE, "--run_dir={damaged}"],
        "it is damaged, or not as Keras writes it",
    ),
    "other class count": (
        "evaluate",
        ["--weights={run}/best.weights.h5", *NETWORK, "--num_classes=5", *EVALUATE],
        "it has 7 classes, the model 5",
    ),
    "split that isn't there": ("evaluate", [*EVALUATE, "--run_dir={run}", "--split=x"], "'x'"),
    "missing photo": ("predict", ["--run_dir={run}", "--output_dir={new}", "a.png"], "a.png"),
    "damaged photo": (
        "predict",
        ["--run_dir={run}", "--output_dir={out}", "{damaged}/photo.jpg"],
        "photo.jpg can't be read",
    ),
    "no source": (
        "prepare",
        ["--dataset=camvid", "--source={new}", "--data_dir={new}"],
        "there is no source folder",
    ),
}

# {while what is written: (arguments, words)}; the limit is larger than a run's text files.
FULL_DISK = {
    "best weights": (["--checkpoint_every=0"], "best.weights.h5: File too large"),
    "checkpoint": (
        ["--checkpoint_every=2", "--steps=3", "--validate_every=3"],
        "checkpoint of step 2",
    ),
}
LIMIT = 200_000


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """{what is wrong: {"code", "error", "changed"}} of every call above."""
    root = tmp_path_factory.mktemp("bad")
    places = {name: root / name for name in ("good", "run", "new", "damaged", "unfinished", "out")}
    write_sample_dataset(places["good"], train=4, val=2, size=(48, 64))
    relabel(places["good"], lambda label: np.where(label == 1, 0, label).astype(np.uint8))
    calls = {}
    for name, (spoil, _) in DATA.items():
        folder = root / name
        shutil.copytree(places["good"], folder)
        spoil(folder)
        calls[name] = ("train", [f"--data_dir={folder}", *NEW], 0)
    calls |= {name: (verb, arguments, 0) for name, (verb, arguments, _) in CALLS.items()}
    more = {name: ("train", AGAIN + rest, LIMIT) for name, (rest, _) in FULL_DISK.items()}
    calls |= {f"full disk, {name}": one for name, one in more.items()}
    calls = {
        name: (verb, [text.format(**places) for text in arguments], limit)
        for name, (verb, arguments, limit) in calls.items()
    }

    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(places["run"])],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process as driver:

        def run(*call):
            driver.stdin.write(json.dumps(call) + "\n")
            driver.stdin.flush()
            answer = driver.stdout.readline()
            assert answer, f"the process ended in {' '.join(call[1])}"
            return json.loads(answer)

        train = ["--run_dir={run}", "--data_dir={good}", *TRAIN, "--steps=1"]
        first = run("train", [text.format(**places) for text in train], 0)
        assert first["code"] == 0 and first["changed"], first["error"]
        # Training goes on where a class has no pixel, but says so.
        assert re.search(
            r"the split train: none of the 4 label maps has a pixel of the class(es)? (0 .*)?1 \(",
            first["error"],
        ), first["error"]
        shutil.copytree(places["run"], places["damaged"])
        cut(places["damaged"] / "checkpoints" / "step-1.index")
        cut(places["damaged"] / "best.weights.h5")
        Image.new("RGB", (64, 64)).save(places["damaged"] / "photo.jpg")
        cut(places["damaged"] / "photo.jpg")
        places["unfinished"].mkdir()
        shutil.copy(places["run"] / "model.json", places["unfinished"])
        found = {name: run(*call) for name, call in calls.items()}
    assert not places["new"].exists()
    return found


WORDS = {
    **{name: words for name, (_, words) in DATA.items()},
    **{name: words for name, (_, _, words) in CALLS.items()},
    **{f"full disk, {name}": words for name, (_, words) in FULL_DISK.items()},
}


@pytest.mark.parametrize("name", WORDS)
def test_one_clear_line(results, name):
    result = results[name]
    assert result["code"] == 1, result["error"]
    lines = result["error"].splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1 and lines[-1] == errors[0], result["error"]
    assert WORDS[name] in errors[0]
    assert "Traceback" not in result["error"] and "Exception ignored" not in result["error"]
    assert not result["changed"]
