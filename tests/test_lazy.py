"""The package's own names, and its modules, which are imported at first use and quietly."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import tfseg
assert "tensorflow" not in sys.modules
assert set(tfseg.__all__) <= set(dir(tfseg))
assert not hasattr(tfseg, "nothing")
assert tfseg.errors.TfsegError is tfseg.TfsegError
assert "tensorflow" not in sys.modules
assert callable(tfseg.models.fold)
from tfseg import *
assert create_model is tfseg.create_model is tfseg.models.create_model
assert all(callable(getattr(tfseg, name)) for name in tfseg.__all__)
import tensorflow as tf
tf.config.list_physical_devices()
"""


# In one process: its second half takes seconds to import Keras and TensorFlow.
TABLES = """
import sys
from tfseg.data import TRANSFORMS
from tfseg.training import LOSSES, OPTIMIZERS, SCHEDULES
assert not {"keras", "numpy", "tensorflow"} & set(sys.modules)
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.models import PRECISIONS, PREPROCESSINGS, ModelSpec, list_models
assert len(list_models()) > len(ENCODERS) * len(DECODERS)
assert all(row.name == name for table in (ENCODERS, DECODERS) for name, row in table.items())
assert not {"keras", "tensorflow"} & set(sys.modules)
import tfseg.decoders, tfseg.encoders, tfseg.models
import tfseg.data, tfseg.training, tfseg.training.losses, tfseg.training.optimizers
for package in (
    *(tfseg.decoders, tfseg.encoders, tfseg.models, tfseg.data, tfseg.training),
    *(tfseg.training.losses, tfseg.training.optimizers),
):
    assert all(hasattr(package, name) for name in package.__all__), package
for table in (ENCODERS, DECODERS, LOSSES, OPTIMIZERS, SCHEDULES, TRANSFORMS):
    assert all(callable(row.load()) for row in table.values())
"""

# What a verb's help and its refusals need.
FLAGS = """
import sys
from tfseg.cli.command import defined
from tfseg.cli.verbs import VERBS
plain = ["sweep", "plot", "demo", "completion"]  # those without settings of networks or data
for number, verb in enumerate([*plain, *(verb for verb in VERBS if verb not in plain)]):
    defined(verb, [])
    heavy = {"keras", "tensorflow", *(["numpy"] if number < len(plain) else [])}
    assert not heavy & set(sys.modules), verb
"""


def run(script, **environment):
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        env=inherited | environment,
    )


@pytest.mark.parametrize(
    "environment", [{}, pytest.param({"TF_CPP_MIN_LOG_LEVEL": "3"}, marks=pytest.mark.slow)]
)
def test_names_and_modules_come_at_first_use(environment):
    result = run(SCRIPT, **environment)
    assert result.returncode == 0, result.stderr
    assert not result.stderr  # TensorFlow and its C++ libraries would say ten lines


@pytest.mark.parametrize("script", [TABLES, FLAGS])
def test_tables_and_flags_are_read_without_keras(script):
    result = run(script)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("level", "code", "heard"),
    [
        ("2", "", ""),
        ("0", "", "a note"),
        ("2", "raise ImportError('libcudart is missing')", "a note"),
    ],
)
def test_the_import_of_tensorflow_is_mute_unless_it_fails(level, code, heard, tmp_path):
    folder = tmp_path / "tensorflow"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import os, types\n"
        "os.write(2, b'a note')\n"
        "config = types.SimpleNamespace(list_physical_devices=lambda: None)\n" + code
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    script = "import os, tfseg, tensorflow; os.write(2, b' and more')"
    result = run(script, PYTHONPATH=paths, TF_CPP_MIN_LOG_LEVEL=level)
    assert result.stderr.startswith(heard)
    assert ("ImportError: libcudart is missing" in result.stderr) == bool(code)
    assert result.stderr.endswith(" and more") != bool(code)
