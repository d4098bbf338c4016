"""The suite itself: reference files are explained, and every module has its tests."""

import pathlib
import re

TESTS = pathlib.Path(__file__).parent
GOLDEN = TESTS / "golden"


def test_every_reference_file_is_explained():
    rows = re.findall(r"^\| (`.+?) \|", (GOLDEN / "README.md").read_text("utf-8"), re.MULTILINE)
    named = sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row))
    files = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()}
    made_by = {"README.md", "rebuild.sh", *(path.name for path in GOLDEN.glob("*.py"))}
    whole_run = {name for name in files if name.startswith("landed/run/")}
    expected = {name for name in files - made_by - whole_run if "__pycache__" not in name}
    assert named == sorted({*expected, "landed/run"})


def test_reference_files_name_tests_and_scripts_that_there_are():
    text = (GOLDEN / "README.md").read_text("utf-8")
    tests = set(re.findall(r"`(\w+/[\w/]*test_\w+\.py)`", text))
    assert len(tests) >= 10 and all((TESTS / name).is_file() for name in tests)
    scripts = {path.name for path in GOLDEN.glob("*.py")}
    assert scripts == set(re.findall(r"\| `(\w+\.py)` \|", text))
    for script in scripts:
        head = (GOLDEN / script).read_text("utf-8").splitlines()
        written = re.match(r'"""Writes (\w+\.npz):', head[0])[1]  # rebuild.sh reads this line
        assert any(f"| `{written}` |" in line and script in line for line in text.splitlines())
        assert any(line.startswith("    pip install ") for line in head[:5])
