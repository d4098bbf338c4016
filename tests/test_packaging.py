"""What the wheel and the source distribution hold."""

import pathlib
import re
import shutil
import subprocess
from distutils.core import run_setup

import pytest
from setuptools.command.egg_info import FileList

# setup.py is only read here, which an older setuptools than the one that builds can do.
pytestmark = pytest.mark.filterwarnings("ignore:Unknown distribution option")

ROOT = pathlib.Path(__file__).parents[1]

# What setuptools adds to a source distribution by itself, and what only the repository has use for.
_ADDED = {"README.md", "LICENSE", "pyproject.toml", "setup.py"}


def _files(*folders):
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    names = (path.relative_to(ROOT).as_posix() for path in paths)
    return {name for name in names if "__pycache__" not in name}


def _build_command():
    """setup.py's own, which says what a wheel gets."""
    command = run_setup(str(ROOT / "setup.py"), stop_after="init").get_command_obj("build_py")
    command.ensure_finalized()
    return command


def test_a_wheel_has_every_file_of_the_package(monkeypatch):
    monkeypatch.chdir(ROOT)
    command = _build_command()
    modules = {pathlib.Path(path).as_posix() for *_, path in command.find_all_modules()}
    data = {f"{where}/{name}" for _, where, _, names in command.data_files for name in names}
    assert modules | data == _files("tfseg", "flags")


def test_recipes_are_a_package_under_their_installed_name():
    """With an `__init__.py`: an editable installation finds no namespace package inside another."""
    packages = run_setup(str(ROOT / "setup.py"), stop_after="init").package_dir
    assert packages == {"tfseg.recipes": "flags"}
    assert (ROOT / "flags" / "__init__.py").is_file()


def test_a_source_distribution_has_what_its_tests_read(monkeypatch):
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("git says which files belong to the project")
    monkeypatch.chdir(ROOT)
    listed = FileList()
    listed.findall()
    for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines():
        listed.process_template_line(line)
    found = {pathlib.Path(name).as_posix() for name in listed.files} | _ADDED | _files("tfseg")
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {name for name in tracked if not name.startswith(".")} - found <= {"MANIFEST.in"}


def test_every_extra_is_explained():
    found = run_setup(str(ROOT / "setup.py"), stop_after="init").extras_require
    extras = {name.partition(":")[0] for name in found}
    table = re.findall(r"^\| (`.+?) \|", (ROOT / "docs/installation.md").read_text("utf-8"), re.M)
    assert {name for row in table for name in re.findall(r"`(\w+)`", row)} == extras
