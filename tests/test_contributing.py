"""The diffs that CONTRIBUTING.md shows are in the files that it names."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]


def diffs():
    """(section, added lines, texts of the files that it names) of every diff."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        paths = [ROOT / name for name in re.findall(r"`([\w/]+\.py)`", section)]
        files = [path.read_text(encoding="utf-8") for path in paths if path.is_file()]
        for block in re.findall(r"(?:^    \+.*\n)+", section, re.MULTILINE):
            yield section.splitlines()[0], [line[5:] for line in block.splitlines()], files


def has_in_order(text, lines):
    where = 0
    for line in lines:
        where = text.find(f"{line}\n", where)
        if where < 0:
            return False
    return True


def test_diffs_are_of_what_is_there():
    found = list(diffs())
    assert len(found) >= 7
    for section, lines, files in found:
        assert any(has_in_order(text, lines) for text in files), (section, lines)
