"""What holds for every table of the package: rows are plain data, read without Keras and
TensorFlow, and a wrong name gets the nearest right ones."""

import importlib
import pathlib
import re
import subprocess
import sys

import pytest

from tfseg.cli import main

ROOT = pathlib.Path(__file__).parents[1] / "tfseg"


def find_tables():
    """{name: module} of the tables, from the text of the files."""
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(["tfseg", *path.relative_to(ROOT).with_suffix("").parts])
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^([A-Z_]+)(?:: [^=\n]+)? = Table\(", text, re.MULTILINE):
            yield name, module


TABLES = dict(find_tables())

# How each table's names are given, with NAME for the name; None where no flag takes them.
CALLS = {
    "DATASETS": "prepare --data_dir=x --dataset=NAME",
    "DECODERS": "convert --output=x.weights.h5 --num_classes=2 --model=drn_a_18+NAME {file}",
    "ENCODERS": "receptive_field --picture=x.png --model=NAME",
    "EXPORT_FORMATS": "export --format=NAME",
    "IMPORT_FORMATS": "prepare --data_dir=x --source=. --format=NAME",
    "KINDS": None,
    "LOSSES": "train --data_dir=x --run_dir=x --model=x --steps=1 --loss=cross_entropy:2,NAME:1",
    "MEASURES": None,
    "METRICS": None,
    "OPTIMIZERS": "train --optimizer=NAME",
    "RULES": None,
    "SCHEDULES": "train --lr_schedule=NAME",
    "TRACKERS": "train --data_dir=x --run_dir=x --model=x --steps=1 --tracker=NAME",
    "TRANSFORMS": "train --data_dir=x --run_dir=x --model=x --steps=1 --transforms=NAME:0.5",
    "VERBS": "NAME",
}

READ = """
import dataclasses, importlib, sys
tables = {name: getattr(importlib.import_module(module), name) for name, module in %r.items()}
assert not {"keras", "tensorflow", "jax", "torch"} & set(sys.modules)

def plain(value):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return value is None or isinstance(value, (bool, int, float, str))

for table, rows in tables.items():
    for name, row in rows.items():
        fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
        assert row.name == name and all(map(plain, fields.values())), (table, fields)
assert not {"keras", "tensorflow", "jax", "torch"} & set(sys.modules)
for rows in tables.values():
    assert all(row.load() is not None for row in rows.values())
"""


def test_every_table_is_known_here():
    assert set(TABLES) <= set(CALLS)


def test_rows_are_plain_data_that_name_code_which_is_there():
    done = subprocess.run([sys.executable, "-c", READ % TABLES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("table", [name for name in TABLES if CALLS.get(name)])
def test_a_wrong_name_gets_the_nearest(table, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("file.pth").write_bytes(b"")
    rows = getattr(importlib.import_module(TABLES[table]), table)
    right = next(iter(rows))
    call = CALLS[table].replace("NAME", f"{right}x").format(file="file.pth")
    assert main(call.split()) == 1
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    near = re.search(r"unknown .* '(.*)'; did you mean ([^?]*)\?", errors[0])
    assert near and near[1].endswith(f"{right}x") and right in re.split(r"[ +]", near[2]), errors
    assert not any(path.name != "file.pth" for path in tmp_path.iterdir())
