"""Imports point one way: down the packages as listed here, and in no circle of files."""

import graphlib
import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]


def _architecture():
    """tools/docs/architecture.py, which reads the imports to draw them."""
    path = ROOT / "tools" / "docs" / "architecture.py"
    spec = importlib.util.spec_from_file_location("architecture", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


architecture = _architecture()
MODULES, IMPORTS = architecture.modules(), architecture.imports()

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
legends machine
bands visualize
checks digests files outputs parallel parts tables
errors lazy startup types version words
"""


def test_packages_import_what_stands_below():
    height = {name: -row for row, line in enumerate(ORDER.split("\n")) for name in line.split()}
    wrong = []
    for name, imports in IMPORTS.items():
        if name == "tfseg":  # offers what the others have
            continue
        for other in imports:
            here, there = architecture.child(name, "tfseg"), architecture.child(other, "tfseg")
            if here != there and not (there and height[here] > height[there]):
                wrong.append(f"{name} imports {other}")
    assert not wrong


PACKAGES = [name for name, path in MODULES.items() if path.name == "__init__.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_goes_in_a_circle(package):
    """Neither the files of a package nor its packages; what a package offers is imported last."""
    inside = [name for name in MODULES if name.startswith(f"{package}.")]
    graph = {"": {architecture.child(name, package) for name in inside}}
    for name in inside:
        targets = {x for x in IMPORTS[name] if f"{x}.".startswith(f"{package}.")}
        child = architecture.child(name, package)
        graph.setdefault(child, set()).update(
            {architecture.child(x, package) for x in targets} - {child}
        )
    graphlib.TopologicalSorter(graph).prepare()


def test_cores_are_counted_in_one_place():
    """`count_cores` knows those of a shared machine that this process may use."""
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tfseg").rglob("*.py")}
    counting = [path.stem for path, text in sources.items() if re.search(r"\bcpu_count\b", text)]
    assert counting == ["parallel"]


def test_the_picture_shows_the_imports_of_today():
    """After a change: `python tools/docs/architecture.py`."""
    graph, base = architecture.parts()
    picture = architecture.PICTURE.read_text(encoding="utf-8")
    drawn = set(re.findall(r"<title>(\w+) imports (\w+)</title>", picture))
    assert drawn == architecture.arrows(graph)
    assert all(re.search(rf"\b{name}\b", picture) for name in base)


def test_the_page_says_what_each_package_owns():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    graph, base = architecture.parts()
    named = set(re.findall(r"^\| `([\w`, ./]+)` \|", page, re.MULTILINE))
    named = {re.sub(r"/|\.py", "", name) for names in named for name in re.split("`, `", names)}
    assert named == {*graph, *base} - {"base"}
