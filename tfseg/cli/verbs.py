"""The table of verbs."""

import dataclasses
import importlib
import types

from tfseg.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verb(Row):
    """A verb of the command.

    Its module's docstring is its help. It has `define(flags)`, which defines its flags;
    `main(flags)`, which returns an exit code or None; GROUPS, {title: names of the flags that
    most people need}; and, where it takes arguments without a flag, PATHS, what the help calls
    them: `main(flags, paths)` gets them as a list.

    Attributes:
        code: the module's name.
        group: under which title `tfseg --help` lists it.
    """

    group: str

    def load(self) -> types.ModuleType:
        """The module."""
        return importlib.import_module(self.code)


VERBS = Table(
    "verb",
    [
        Verb(name=name, code=f"tfseg.cli.{name}", help=summary, group=group)
        for group, rows in {
            "Data": {
                "prepare": "bring a data set into the form that training reads",
                "check": "look at every image and label map of a data folder",
            },
            "Models": {
                "train": "train a model, or continue a run",
                "sweep": "train a recipe in variants from several seeds, and compare them",
                "evaluate": "score a model, or any program's predictions, on a data folder",
                "compare": "differences between runs or predictions, with intervals",
                "predict": "label maps of files, folders, lists, videos and cameras",
                "classify": "train and test image classifiers, and locate what they see",
                "crf": "refine kept logits by a dense CRF, or search its parameters",
            },
            "Files": {
                "export": "SavedModel, ONNX or TensorFlow Lite of a trained model",
                "convert": "weights of other programs to ours, and back",
                "models": "list the models and the released weights that there are",
            },
            "Looking": {
                "plot": "curves of one or several runs",
                "receptive_field": "draw and measure effective receptive fields",
                "benchmark": "speed and memory of networks and input pipelines",
                "app": "a local web page to try models on",
                "demo": "draw a small data set, train on it, evaluate, predict",
                "completion": "a script that makes the shell complete verbs and flags",
            },
        }.items()
        for name, summary in rows.items()
    ],
)
