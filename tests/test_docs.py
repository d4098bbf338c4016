"""The documentation: its commands are ones that the command takes, and its links lead somewhere."""

import pathlib
import re
import shlex
import urllib.parse

import pytest

from tfseg.cli import needs
from tfseg.cli.command import defined
from tfseg.cli.shared import read_config
from tfseg.cli.verbs import VERBS
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.encoders.factory import OPTIONS
from tfseg.models import list_models
from tfseg.training.config import TrainConfig

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def code_lines(text):
    """The lines of indented and fenced blocks, those that a backslash continues as one."""
    fenced, lines = False, []
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip())
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()


def commands(text):
    """The calls of `tfseg` in a page, in blocks and between backticks, each as its arguments.

    "…" and [brackets] stand for what the reader fills in or may leave out.
    """
    inline = [" ".join(part.split()) for part in re.findall(r"`(tfseg [^`]+)`", text)]
    for line in [*code_lines(text), *inline]:
        match = re.match(r"(?:srun )?tfseg (.*)", line)
        if match and re.match("[a-z_]+( |$)", match[1]):
            # What stands behind several spaces says what the command does.
            call = re.split(" {2,}", match[1])[0].replace("[--", "--").replace("]", "")
            words = shlex.split(call, comments=True)
            yield [word for word in words if word != "…"], "…" in call


def page_commands():
    found = [(page, page.read_text(encoding="utf-8")) for page in PAGES]
    found += [(row.code, row.load().__doc__) for row in VERBS.values()]
    for page, text in found:
        if page == ROOT / "docs" / "extending.md":  # whose module and commands are run elsewhere
            continue
        name = page if isinstance(page, str) else page.relative_to(ROOT).as_posix()
        for arguments, partial in commands(text):
            yield pytest.param(arguments, partial, id=f"{name}: {' '.join(arguments)}")


@pytest.mark.parametrize("arguments, partial", list(page_commands()))
def test_command_is_one_that_the_command_takes(arguments, partial):
    verb, *rest = arguments
    # A run's own flags are there once it has been trained.
    rest = [word for word in rest if not word.startswith(("--help", "--flagfile=runs/"))]
    module, flags, expanded = defined(verb, rest)
    paths = flags.parse(expanded)
    assert not paths or hasattr(module, "PATHS")
    if not partial:
        needs.refuse(module, flags, needs.typed(rest, flags))
    if "model" in flags and flags.model:
        assert flags.model in {*list_models(), *ENCODERS}
    if verb == "train" and not partial and flags.data_dir:
        read_config(flags, TrainConfig)


def test_commands_are_found_in_blocks_and_lines():
    text = (
        "`tfseg models\n--released`\n\n    tfseg train --a=1 \\\n        --b … # why\n    x = 1\n"
    )
    assert list(commands(text)) == [
        (["train", "--a=1", "--b"], True),
        (["models", "--released"], False),
    ]


def slugs(text):
    """What the headings of a page are called in links."""
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def links(text):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    text = re.sub(r"^    .*$", "", text, flags=re.M)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^]]+\]: (\S+)$", text, re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = urllib.parse.unquote(link).partition("#")
        if re.match("[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert ROOT in target.parents, link
        if anchor:
            assert anchor in slugs(target.read_text(encoding="utf-8")), link


def test_the_readme_ends_before_its_reader_is_tired():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 180


def test_every_page_is_in_the_navigation_of_the_site():
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert pages <= listed


def test_every_option_of_models_is_explained():
    decoders = {option for row in DECODERS.values() for option in row.options}
    more = {"multi_scale", "sampling", "aux_loss_weight"} | decoders
    # What folding leaves behind is no choice.
    options = {*OPTIONS, *more} - {"folded"}
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert [name for name in sorted(options) if f"`{name}`" not in text] == []
