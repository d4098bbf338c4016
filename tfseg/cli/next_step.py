"""The command that comes next after a verb, in the words in which this one was called."""

import os
import shlex
import shutil
import sys


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
            *(f"--run_dir={_run_dir(data_dir)}", "--epochs=90"),
        )
    options = [f"--num_classes={num_classes}"] if num_classes else []
    if labelled != ["train", "val"]:
        options.append(f"--splits={','.join(labelled)}")
    return command("check", f"--data_dir={data_dir}", *options) if labelled else None


def after_train(run_dir: str, split: str) -> str:
    """Evaluate the run on the split that it was validated on, or else was trained on."""
    other = [] if split == "val" else [f"--split={split}"]
    return command("evaluate", f"--run_dir={run_dir}", *other)


def after_classify(run_dir: str, data_dir: str) -> str:
    """Test the classifier."""
    return command("classify", "test", f"--run_dir={run_dir}", f"--data_dir={data_dir}")


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


def _run_dir(data_dir: str) -> str:
    return os.path.join("runs", os.path.basename(os.path.abspath(data_dir)))
