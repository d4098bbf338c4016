"""Pages of the documentation's site that are made: MkDocs calls this when `tools/docs.sh` builds.

The front page is the README, the command's reference comes from the flags, Python's from the
docstrings of what the packages export.
"""

import html
import importlib
import inspect
import itertools
import pathlib
import re
import textwrap

from mkdocs.structure.files import File

from tfseg.cli.command import defined
from tfseg.cli.verbs import VERBS
from tfseg.parallel import count_cores

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Whose exported names the reference has, and what it says of each.
PACKAGES = (
    *("tfseg", "tfseg.workflows", "tfseg.models", "tfseg.encoders", "tfseg.decoders"),
    *("tfseg.layers", "tfseg.weights", "tfseg.zoo", "tfseg.training", "tfseg.training.losses"),
    *("tfseg.inference", "tfseg.evaluation", "tfseg.serving", "tfseg.data"),
)
# Files beside docs/ that are pages of the site, or are laid beside them as they are.
FROM_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "CITATION.cff",
    "LICENSE": "LICENSE.txt",
}


def on_files(files, config):
    """Adds the pages that are made."""
    for source, target in FROM_ROOT.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if target.endswith(".md"):
            text = from_root(text)
        files.append(File.generated(config, target, content=text))
    for name, page in (("cli", command_page), ("python", python_page)):
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def on_page_markdown(markdown, page, **_):
    """Links out of docs/ lead to where the site has these files."""
    depth = page.file.src_uri.count("/")
    for source, target in FROM_ROOT.items():
        markdown = markdown.replace(
            f"]({'../' * (depth + 1)}{source}", f"]({'../' * depth}{target}"
        )
    return markdown


def from_root(text):
    """A page that stood beside docs/, as one that stands in it."""
    for source, target in FROM_ROOT.items():
        text = text.replace(f"]({source}", f"]({target}")
    return re.sub(r"\]\(docs/", "](", text)


def command_page():
    """Each verb with its text and all its flags, as --helpfull has them."""
    parts = ["# The command\n", "`tfseg VERB --FLAG=VALUE … FILES`. Of each verb, all its flags.\n"]
    common = set(defined("models", [])[1]) & set(defined("train", [])[1])
    for name in VERBS:
        module, flags, _ = defined(name, [])
        first, _, rest = module.__doc__.strip().partition("\n")
        parts.append(f"## tfseg {name}\n\n{first}\n\n{_markdown(rest)}\n")
        groups = {title: names.split() for title, names in module.GROUPS.items()}
        shown = {name for names in groups.values() for name in names}
        groups["More"] = [one for one in flags if one not in shown and one not in common]
        for title, names in groups.items():
            if names:
                parts.append(_flag_table(title, [flags[one] for one in names], flags))
    parts.append("## Flags of every verb\n")
    flags = defined("models", [])[1]
    parts.append(_flag_table("All verbs", [flags[one] for one in sorted(common)], flags))
    return "\n".join(parts)


def _markdown(text):
    """A docstring with its indented lines as blocks, whatever stands before them."""
    parts = []
    for indented, lines in itertools.groupby(text.splitlines(), lambda one: one.startswith(" ")):
        lines = list(lines)
        if indented:
            parts += ["", "```text", *textwrap.dedent("\n".join(lines)).splitlines(), "```", ""]
        else:
            parts += [_cell(line) for line in lines]
    return "\n".join(parts)


def _flag_table(title, rows, flags):
    lines = [f"**{title}**\n", "| flag | default | |", "|---|---|---|"]
    for flag in rows:
        text = flags.spell(flag.help.split(";\n")[0])
        choices = getattr(flag.parser, "choices", None)
        if choices and "; ".join(choices[:2]) not in text:
            text += f" One of {', '.join(choices)}."
        default = flag.default_as_str if flag.default not in (None, "", []) else ""
        default = default.strip("'")
        # A number of this machine's processors is no default of the page's reader.
        if flag.name == "jobs" and default == str(count_cores()):
            default = "all processors"
        name = f"`--[no]{flag.name}`" if flag.boolean else f"`--{flag.name}=`"
        cells = [name, f"`{default}`" if default else "", _cell(text)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(text):
    for letter in "|*_[]<":
        text = text.replace(letter, f"&#{ord(letter)};")
    return text


def python_page():
    """The exported functions and classes, where they are defined; mkdocstrings reads the rest."""
    parts, seen = ["# Python\n"], set()
    for package in PACKAGES:
        module = importlib.import_module(package)
        objects = [getattr(module, name) for name in module.__all__]
        objects = [one for one in objects if inspect.isfunction(one) or inspect.isclass(one)]
        paths = [f"{one.__module__}.{one.__qualname__}" for one in objects]
        paths = [path for path in paths if path.startswith("tfseg.") and path not in seen]
        seen.update(paths)
        parts.append(f"## {package}\n\n{html.escape((module.__doc__ or '').strip())}\n")
        parts += [f"::: {path}\n" for path in paths]
    return "\n".join(parts)
