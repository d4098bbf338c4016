"""What is arranged for imports to come: a quiet TensorFlow, a Keras that knows us, shared GPUs.

TensorFlow speaks at its import, before it reads any setting, and Keras has to have been told of a
class before it loads a .keras file with one.
"""

import importlib
import importlib.machinery
import os
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

# What imports a module that is made already.
_Load = Callable[[types.ModuleType], None]


class _Finder:
    """A finder of modules that hands the import of one of them to a function.

    Args:
        name: the module's.
        load: called with the function that loads the module, and the module to hand to it.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[_Load, types.ModuleType], None],
    ):
        self.name = name
        self.load = load

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's own spec, with another way to load it; None for other modules."""
        if name != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            setattr(  # noqa: B010  it is a method of the loader
                spec.loader, "exec_module", lambda module: self._load(execute, module)
            )
        return spec

    def _load(self, execute: _Load, module: types.ModuleType) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self.load(execute, module)


def register_with_keras() -> None:
    """Makes our classes known to Keras, now or as soon as it is imported."""
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _Finder("keras", _load_and_register))


def _load_and_register(execute: _Load, module: types.ModuleType) -> None:
    execute(module)
    _register()


def _register() -> None:
    # Where one of our own modules imports Keras, it is only half there, and will do it itself.
    ours = [module for name, module in sys.modules.items() if name.startswith("tfseg.")]
    if not any(getattr(module.__spec__, "_initializing", False) for module in ours):
        importlib.import_module("tfseg.models.segmenter")
        importlib.import_module("tfseg.models.classifier")


def quiet_tensorflow() -> None:
    """Mutes the import of TensorFlow to come, and the search for devices after it.

    The notes on oneDNN and CUDA come from C++, whatever TF_CPP_MIN_LOG_LEVEL says, and would bury
    a tool's own lines. Whoever sets that variable to 0 or 1 sees them. An import that fails says
    all that it had to say.
    """
    wanted = os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")
    if "tensorflow" not in sys.modules and not wanted:
        sys.meta_path.insert(0, _Finder("tensorflow", _load_muted))


def share_gpus() -> None:
    """Lets TensorFlow take a GPU's memory as it needs it, unless the environment says otherwise.

    By itself it takes all at once, and the second process on a GPU fails: a sweep's second job, an
    evaluation beside a training, PyTorch beside us in a benchmark.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def _load_muted(execute: _Load, module: types.ModuleType) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # closed: there is nothing to mute
        return execute(module)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            execute(module)
            module.config.list_physical_devices()
        except BaseException:
            heard.seek(0)
            os.write(stderr, heard.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
