"""The command that comes next after a verb, in the words in which this one was called.

A line that is printed can be copied and runs as it stands.
"""

import itertools
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable

from absl import logging


def say(line: str | None) -> None:
    """Says what comes next, if anything does, on stderr: results alone are for pipes."""
    if line:
        logging.info("next: %s", line)


def after_prepare(data_dir: str, num_classes: int | None) -> str | None:
    """Check the folder, or train on folders of classes.

    Args:
        data_dir: the data folder.
        num_classes: how many classes there are where info.json names none, else None.
    """
    from tfseg.data.lists import is_labelled, is_list

    splits = [name for name in ("train", "val", "test") if is_list(data_dir, name)]
    labelled = [name for name in splits if is_labelled(data_dir, name)]
    if not splits:
        return command(
            *("classify", "train", f"--data_dir={data_dir}", "--model=drn_c_26"),
            *(f"--run_dir={_free('runs', data_dir)}", "--epochs=90"),
        )
    options = [f"--num_classes={num_classes}"] if num_classes else []
    if labelled != ["train", "val"]:
        options.append(f"--splits={','.join(labelled)}")
    return command("check", f"--data_dir={data_dir}", *options) if labelled else None


def after_check(data_dir: str, num_classes: int) -> str | None:
    """Train on the folder, where it has labelled training images.

    Args:
        data_dir: the data folder, of which nothing is wrong.
        num_classes: as it was given; 0 where info.json names the classes.
    """
    from tfseg.data.lists import is_labelled, is_list

    train, val = (
        is_list(data_dir, split) and is_labelled(data_dir, split) for split in ("train", "val")
    )
    options = [f"--num_classes={num_classes}"] if num_classes else []
    if not train:
        return None
    if not val:
        options.append("--val_split=")
    return command(
        *("train", f"--data_dir={data_dir}", f"--run_dir={_free('runs', data_dir)}"),
        *("--model=drn_d_22", *options, "--epochs=50"),
    )


def after_evaluate(source: str, model: Iterable[str], data_dir: str, split: str) -> str | None:
    """Predict the split's images, where it has a list of them.

    Args:
        source: the run directory or weights.
        model: the flags that name them.
        data_dir, split: what was evaluated.
    """
    images = os.path.join(data_dir, f"{split}_images.txt")
    if not os.path.isfile(images):
        return None
    return command("predict", *model, f"--output_dir={_free('predictions', source)}", images)


def after_predict(source: str, model: Iterable[str]) -> str:
    """Export the model; the arguments are those of `after_evaluate`."""
    # The data folder is there for its info.json, and may have nothing to compare on.
    compare = ["--split="] if any(flag.startswith("--data_dir=") for flag in model) else []
    return command("export", *model, *compare, f"--output={_free('exports', source)}/1")


def after_train(run_dir: str, split: str) -> str:
    """Evaluate the run on the split that it was validated on, or else was trained on."""
    other = [] if split == "val" else [f"--split={split}"]
    return command("evaluate", f"--run_dir={run_dir}", *other)


def after_source(run_dir: str, data_dir: str) -> str:
    """Predict images that came without labels, or those that the run was validated on."""
    from tfseg.data.lists import is_list

    split = next(name for name in ("test", "val", "train") if is_list(data_dir, name))
    return command("predict", f"--run_dir={run_dir}", f"{data_dir}/{split}_images.txt")


def after_classify(run_dir: str, data_dir: str, split: str) -> str:
    """Test the classifier; the arguments are those of `after_train`."""
    return command(
        "classify", "test", f"--run_dir={run_dir}", f"--data_dir={data_dir}", f"--split={split}"
    )


def command(verb: str, *arguments: str) -> str:
    """A line for the shell that calls a verb as this one was called: by name, or by Python."""
    program = sys.argv[0]
    if os.path.splitext(os.path.basename(program))[0] == "tfseg":
        found = shutil.which("tfseg")
        on_path = found is not None and os.path.realpath(found) == os.path.realpath(program)
        called = ["tfseg" if on_path else program]
    else:
        called = [next(iter(sys.orig_argv), "python"), "-m", "tfseg"]
    return shlex.join([*called, verb, *arguments])


def _free(folder: str, source: str) -> str:
    """A path in `folder`, named after the last part of `source`, where nothing is yet."""
    name = re.sub(r"[^\w.-]+", "_", os.path.basename(os.path.abspath(source))).lstrip(".") or "new"
    path = os.path.join(folder, name)
    others = (f"{path}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([path], others) if not os.path.lexists(one))
