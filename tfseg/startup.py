"""What `import tfseg` arranges for imports to come: a quiet TensorFlow, a Keras that knows us.

TensorFlow speaks at its import, before it reads any setting, and Keras has to have been told of a
class before it loads a .keras file with one.
"""

import importlib
import importlib.machinery
import os
import sys
import tempfile


class RegisterWithKeras:
    """A finder of modules that makes our classes known to Keras once it is imported."""

    @classmethod
    def install(cls):
        """Registers them, now or as soon as Keras is there."""
        if "keras" in sys.modules:
            _register()
        else:
            sys.meta_path.insert(0, cls())

    def find_spec(self, name, path=None, target=None):
        """Keras' own spec, whose loader registers our classes at its end; None for others."""
        if name != "keras":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self._load(load, module)
        return spec

    def _load(self, load, module):
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        load(module)
        _register()


def _register():
    # Where one of our own modules imports Keras, it is only half there, and will do it itself.
    ours = [module for name, module in sys.modules.items() if name.startswith("tfseg.")]
    if not any(getattr(module.__spec__, "_initializing", False) for module in ours):
        importlib.import_module("tfseg.models.segmenter")
        importlib.import_module("tfseg.models.classifier")


class QuietTensorFlow:
    """A finder of modules that mutes the import of TensorFlow, and the search for devices after it.

    The notes on oneDNN and CUDA come from C++, whatever TF_CPP_MIN_LOG_LEVEL says, and would bury
    a tool's own lines. Whoever sets that variable to 0 or 1 sees them. An import that fails says
    all that it had to say.
    """

    @classmethod
    def install(cls):
        """Mutes the import to come, in a process that has none behind it."""
        wanted = os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")
        if "tensorflow" not in sys.modules and not wanted:
            sys.meta_path.insert(0, cls())

    def find_spec(self, name, path=None, target=None):
        """TensorFlow's own spec, whose loader runs muted; None for other modules."""
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self._load(load, module)
        return spec

    def _load(self, load, module):
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            stderr = os.dup(2)
        except OSError:  # closed: there is nothing to mute
            return load(module)
        with tempfile.TemporaryFile() as heard:
            os.dup2(heard.fileno(), 2)
            try:
                load(module)
                module.config.list_physical_devices()
            except BaseException:
                heard.seek(0)
                os.write(stderr, heard.read())
                raise
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
