"""The package's own names, and its modules, which are imported at first use."""

import subprocess
import sys

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
"""


def test_names_and_modules_come_at_first_use():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
