"""Imports point one way: down the packages as listed here, and in no circle of files."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1] / "tfseg"

# From the top down. Those of one row don't import each other.
ORDER = """
__main__
cli
workflows
benchmark
serving
reports
training
losses metrics
evaluation
inference
weights
zoo
models
encoders decoders
data
layers
runs
visualize machine
checks digests files outputs parallel tables
errors lazy startup types version
"""


def _name(path):
    parts = ("tfseg", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def _imports(path):
    """The modules of tfseg that a file's import statements name, those in functions as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in names)


IMPORTS = {name: set(_imports(path)) for name, path in MODULES.items()}


def _child(module, package):
    """The file or package right in `package` that a module belongs to; "" for its own __init__."""
    return module[len(package) + 1 :].partition(".")[0]


def test_packages_import_what_stands_below():
    height = {name: -row for row, line in enumerate(ORDER.split("\n")) for name in line.split()}
    wrong = []
    for name, imports in IMPORTS.items():
        if name == "tfseg":  # offers what the others have
            continue
        for other in imports:
            here, there = _child(name, "tfseg"), _child(other, "tfseg")
            if here != there and not (there and height[here] > height[there]):
                wrong.append(f"{name} imports {other}")
    assert not wrong


PACKAGES = [name for name, path in MODULES.items() if path.name == "__init__.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_goes_in_a_circle(package):
    """Neither the files of a package nor its packages; what a package offers is imported last."""
    inside = [name for name in MODULES if name.startswith(f"{package}.")]
    graph = {"": {_child(name, package) for name in inside}}
    for name in inside:
        targets = {x for x in IMPORTS[name] if f"{x}.".startswith(f"{package}.")}
        child = _child(name, package)
        graph.setdefault(child, set()).update({_child(x, package) for x in targets} - {child})
    graphlib.TopologicalSorter(graph).prepare()
