"""The documentation's commands and Python are run, page by page, on a tiny drawn data set.

A block that can't run here is marked in the page's source, right before it:

    <!-- not run: REASON -->
"""

import ast
import itertools
import os
import pathlib
import re
import shlex
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg import cli
from tfseg.cli.benchmark import KINDS, kind_of
from tfseg.data import write_sample_dataset

ROOT = pathlib.Path(__file__).resolve().parents[1]
# docs/extending.md is run by test_extending.py; what docs/differences.md has needs CamVid.
ELSEWHERE = ("extending.md", "differences.md")
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name not in ELSEWHERE),
]
NOT_RUN = 43

TINY = ("--epochs=0", "--crop_size=32", "--batch_size=2", "--strategy=one_device")
BRIEF = ("--steps=1", "--class_crops=0", "--lr_warmup_steps=0")
# Whose blocks: DRN-A has four stages, DRN-C and D eight. The second of a stage of DRN-A dilates.
BLOCKS = {"drn_a": "1,1,1,2", "drn_c": "1,1,1,1,1,0,0,1", "drn_d": "1,1,1,1,0,0,0,0"}
DRN = f"--model_option=blocks={BLOCKS['drn_d']}"
# What is put behind a command, so that it takes seconds.
SMALL = {
    "train": (*TINY, *BRIEF),
    # What stands behind -- goes to every training.
    "sweep": (*TINY, *BRIEF),
    "classify train": (*TINY, "--steps=1", "--resize=32"),
    "benchmark": ("--image_size=48,64", "--batch_size=1", "--repeats=1", DRN),
    "receptive_field": ("--image_size=65", "--num_images=1"),
    "export": ("--height=48", "--width=64"),
    "evaluate": ("--replicates=20",),
}
# What stands in a page, and what is put in its place; "…" is what the page has said before.
PLACEHOLDERS = {
    "train …": "train --data_dir=data/mine --run_dir=runs/part{} --model=drn_d_22",
    "drn_d_22.safetensors runs/mine": "drn_d_22.safetensors drn_d_22.weights.h5",
    " --minutes=30": "",
    "--seeds=0,1,2": "--seeds=0",
    "--source=photos": "--source=photos --model=drn_d_22 --init_weights=",
}
_PARTS = itertools.count()
PYTHON = {
    "crop_size=(321, 321), batch_size=8, epochs=50": "crop_size=32, batch_size=2, steps=1",
    # As the page's command has trained it before.
    'model="drn_d_22",': 'model="drn_d_22", model_options={"blocks": [1, 1, 1, 1, 0, 0, 0, 0]},',
    "512, 1024": "32, 64",
    '"drn_d_22.pth"': '"drn_d_22.safetensors"',
}


def blocks(text):
    """(lines of a block, why it isn't run or None), indented and fenced ones."""
    reason, found, lines, index = None, [], text.splitlines(), 0
    while index < len(lines):
        line, start = lines[index], index
        if line.startswith("```"):
            index = next(i for i in range(index + 1, len(lines)) if lines[i].startswith("```"))
            found.append((lines[start + 1 : index], reason))
        elif line.startswith("    ") and not lines[index - 1].strip():
            while index < len(lines) and (lines[index].startswith("    ") or not lines[index]):
                index += 1
            found.append(([part[4:] for part in lines[start:index]], reason))
            index -= 1
        if match := re.fullmatch(r"<!-- not run: (.+) -->", line):
            reason = match[1]
        elif line.strip():
            reason = None
        index += 1
    return found


def is_shell(lines):
    return lines[0].split()[0] in (
        "tfseg",
        "source",
        "pip",
        "bash",
        "docker",
        "export",
        "tensorboard",
    ) or (lines[0].startswith(("python3 ", "TFSEG_URL=")))


def is_python(lines):
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Import | ast.ImportFrom | ast.Call) for node in ast.walk(tree))


def calls(lines):
    """The arguments of each call of the command in a block of them."""
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    for placeholder, words in PLACEHOLDERS.items():
        text = text.replace(placeholder, words)
    for line in text.splitlines():
        if parts := shlex.split(re.split(" {3,}", line.strip())[0], comments=True):
            program, *words = parts
            assert program == "tfseg", f"{line}: mark the block as not run"
            verb = " ".join(words[:2]) if words[0] == "classify" else words[0]
            more = SMALL.get(verb, ())
            for kind, names in KINDS.items() if verb == "benchmark" else ():
                if any(word.startswith(f"--{kind_of(kind)}") for word in words):
                    names = [*names.split(), "repeats"]
                    more = tuple(flag for flag in more if kind_of(flag) in names)
            if verb.endswith(("train", "sweep")):
                models = [word for word in words if word.startswith("--model=drn")]
                more += tuple(f"--model_option=blocks={BLOCKS[one[8:13]]}" for one in models)
            if any(word.startswith("--short_sides") for word in words):
                more = tuple(flag for flag in more if not flag.startswith("--crop_size"))
            yield [word.replace("{}", str(next(_PARTS))) for word in [*words, *more]]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A folder with all that the pages take for granted: photographs, data, runs, predictions."""
    root = tmp_path_factory.mktemp("world")
    before = os.getcwd()
    os.chdir(root)
    classes = ["road", "building", "sky"]
    write_sample_dataset("drawn", train=6, val=4, size=(48, 64))
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            for path in sorted(pathlib.Path("drawn", kind, split).iterdir()):
                target = pathlib.Path("photos", kind, f"{split}{path.name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                if kind == "images":
                    shutil.copy(path, target)
                else:
                    labels = np.asarray(Image.open(path))
                    Image.fromarray(np.where(labels == 255, 255, labels % 3).astype("u1")).save(
                        target
                    )
    pathlib.Path("more_photos").mkdir()
    for index, path in enumerate(sorted(pathlib.Path("photos/images").iterdir())[:2]):
        image = Image.open(path).convert("RGB")
        for name in ("first", "photo.jpg") if index == 0 else ("second",):
            place = name if name == "photo.jpg" else f"more_photos/{name}.jpg"
            image.save(place)
        for folder in ("train/cat", "train/dog", "val/cat", "val/dog"):
            pathlib.Path("imagenet", folder).mkdir(parents=True, exist_ok=True)
            image.save(f"imagenet/{folder}/{index}.jpg")
    for name in ("a.jpg", "b.jpg"):
        shutil.copy("photo.jpg", name)
    prepare = ["prepare", "photos", f"--classes={','.join(classes)}"]
    for folder in ("data/mine", "data/camvid", "data/camvid240"):
        assert cli.main([*prepare, f"--data_dir={folder}"]) == 0
    train = ["train", "--data_dir=data/mine", "--run_dir=trained", "--model=drn_d_22", DRN]
    assert cli.main([*train, *SMALL["train"]]) == 0
    assert cli.main(["evaluate", "--run_dir=trained", "--replicates=20"]) == 0
    predict = ["predict", "--run_dir=trained", "--output_dir=predicted", "--outputs=labels"]
    assert cli.main([*predict, "data/camvid/val_images.txt"]) == 0
    weights = ["convert", "--model=drn_d_22", "--num_classes=19", "--output=drn_d_22.safetensors"]
    model = tfseg.create_model("drn_d_22", num_classes=19)
    model.save_weights("drn_d_22.weights.h5")
    assert cli.main([*weights, "drn_d_22.weights.h5"]) == 0
    os.chdir(before)
    return root


def furnish(world, folder, text):
    """Copies the world, with runs of the names that a page uses and doesn't train."""
    shutil.copytree(world, folder, dirs_exist_ok=True)
    os.chdir(folder)
    named = set(re.findall(r"\bruns/\w+", text))
    for number, run in enumerate(sorted(named), 1):
        # In one paragraph or block: prose speaks of training, too.
        verb = r"(tfseg (classify )?(train|sweep)|TrainConfig)"
        trains = rf"{verb}(?:(?!\n\n)[^`])*?(run|output)_dir=\"?{run}\b"
        if not re.search(trains, text):
            shutil.copytree("trained", run)
            # Runs whose settings are the same but for the seed are one to a comparison.
            with open(f"{run}/config.flags", "a", encoding="utf-8") as file:
                file.write(f"--log_every={number}\n")
    if "prepare photos" in text:
        shutil.rmtree("data/mine")  # which the page makes, of its own photographs
    if "theirs" in text:
        shutil.copytree("predicted/labels", "theirs")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_does_what_it_says(page, world, tmp_path, monkeypatch, capfd):
    text = page.read_text(encoding="utf-8")
    runnable = [lines for lines, reason in blocks(text) if not reason]
    if not any(map(is_shell, runnable)) and not any(map(is_python, runnable)):
        pytest.skip("nothing to run")
    monkeypatch.chdir(tmp_path)
    furnish(world, tmp_path, text)
    # What blocks take for granted: imports, a pair of label maps, a model.
    pair = {"truth": np.zeros((4, 4), np.uint8), "labels": np.zeros((4, 4), np.uint8)}
    names = {"tfseg": tfseg, "keras": keras, "tf": tf, **pair}
    if "model.compile" in text:
        names["model"] = tfseg.create_model("drn_d_22", 11, blocks=[1, 1, 1, 1, 0, 0, 0, 0])
    for lines in runnable:
        if is_shell(lines):
            for words in calls(lines):
                code = cli.main(words)
                assert code == 0, f"tfseg {' '.join(words)}: {capfd.readouterr().err[-500:]}"
        elif is_python(lines):
            source = "\n".join(lines)
            for written, tried in PYTHON.items():
                source = source.replace(written, tried)
            exec(compile(source, str(page), "exec"), names)


def test_what_is_not_run_is_marked_with_a_reason():
    """And nothing else: a mark belongs to a block, and every block without is tried or no code."""
    marked = unmarked = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = blocks(text)
        reasons = [reason for _, reason in found if reason]
        assert len(reasons) == text.count("<!-- not run: "), page
        marked += len(reasons)
        for lines, reason in found:
            if not reason and is_shell(lines):
                unmarked += len(list(calls(lines)))
    assert marked == NOT_RUN
    assert unmarked > 40


def test_blocks_are_found_with_their_marks():
    text = (
        "a\n\n    tfseg x --a \\\n        --b\n\n    tfseg y   # why\n\n<!-- not run: b -->\n\n"
        "    pip c\n\n```\nimport d\n```\n"
    )
    (first, none), (second, reason), (third, _) = blocks(text)
    assert none is None and reason == "b" and second[0] == "pip c"
    assert is_shell(first) and is_python(third) and not is_python(["data/", "  x.jpg …"])
    assert [words[0] for words in calls(first)] == ["x", "y"]
