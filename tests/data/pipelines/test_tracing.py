"""No function goes through AutoGraph, which takes seconds of each process to rewrite them all."""

import ast
import pathlib

import pytest
import tensorflow as tf

import tfseg
from tfseg.data import graph

ROOT = pathlib.Path(tfseg.__file__).parent


def _calls():
    """(file, call) of everything that is called in the package, decorators without calls too."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path, node
            for bare in getattr(node, "decorator_list", []):
                yield path, ast.Call(bare, [], [])


def test_graph_functions_are_traced_as_they_are():
    found = [
        (path, {word.arg: word.value for word in call.keywords})
        for path, call in _calls()
        if ast.unparse(call.func) == "tf.function"
    ]
    assert len(found) > 10
    for path, words in found:
        assert ast.unparse(words.get("autograph", ast.Constant(True))) == "False", path


def test_data_sets_are_mapped_by_one_function():
    for path, call in _calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "map":
            executor = ast.unparse(call.func.value)
            assert path == pathlib.Path(graph.__file__) or "pool" in executor, (path, executor)


def test_mapped_functions_see_no_conditions_over_tensors():
    numbers = tf.data.Dataset.range(3)
    assert list(graph.mapped(numbers, lambda n: n + 1).as_numpy_iterator()) == [1, 2, 3]
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        graph.mapped(numbers, lambda n: 1 if n > 1 else 2)
