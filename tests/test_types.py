"""What is annotated, and stays so."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]

# Parts of the package that the type checker doesn't look at yet. Nothing is added here.
UNTYPED = {
    *("__main__", "benchmark", "data", "evaluation", "inference", "machine", "parallel"),
    *("reports", "serving", "training", "visualize", "weights", "workflows", "zoo"),
}


def test_all_other_parts_are_type_checked():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    files = re.search(r"^files = \[(.*?)\]", settings, re.MULTILINE | re.DOTALL)[1]
    checked = set(re.findall(r'"tfseg/(\w+)(?:\.py)?"', files))
    parts = {path.stem for path in (ROOT / "tfseg").iterdir() if path.suffix in ("", ".py")}
    assert checked <= parts and parts - checked - {"__pycache__", "recipes"} == UNTYPED
    assert (ROOT / "tfseg" / "py.typed").is_file()
