"""The package uses the public names of what it is built on; another release has these too."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[1] / "tfseg"
# Places where the code says what public names can't do.
ALLOWED = {
    ("weights/readers/hdf5.py", "keras.src.saving"),
    ("weights/readers/hdf5.py", "_save_state"),
}


PUBLIC = {"_replace"}  # a namedtuple's


def _is_private(name):
    if name in PUBLIC:
        return False
    hidden = (part.startswith("_") and not part.endswith("__") for part in name.split("."))
    # Where Keras and TensorFlow have what they don't promise.
    return any(hidden) or name.startswith(("keras.src", "tensorflow.python", "tf.python"))


def _own_names(tree):
    """What a file defines: functions, classes, variables, arguments and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id


def _used_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
            yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (alias.name for alias in node.names)


def foreign_private_names(trees):
    """{(file, name)} of what the files use and none of them defines."""
    own = {name for tree in trees.values() for name in _own_names(tree)}
    used = {(path, name) for path, tree in trees.items() for name in _used_names(tree)}
    simple = {(path, name) for path, name in used if _is_private(name) and name.isidentifier()}
    dotted = {
        (path, name)
        for path, name in used
        if name.startswith(("keras.", "tensorflow.", "tf.")) and _is_private(name)
    }
    return {(path, name) for path, name in simple | dotted if name not in own}


def test_no_private_names_of_others():
    trees = {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    }
    assert foreign_private_names(trees) == ALLOWED


def test_what_is_found():
    code = """
import tensorflow.python.eager.context
from keras.src import ops
def _mine(layer):
    layer._flatten_layers()
    tf._api, _mine, layer._own
class A:
    def __init__(self):
        self._own = self.__dict__
"""
    found = foreign_private_names({"a.py": ast.parse(code)})
    names = {"tensorflow.python.eager.context", "keras.src", "_flatten_layers", "_api", "tf._api"}
    assert found == {("a.py", name) for name in names}
