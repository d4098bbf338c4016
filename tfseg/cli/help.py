"""What --help shows: the verbs, and of a verb its most used flags on one screen."""

import shutil
import textwrap
import types

from absl import flags as absl_flags

from tfseg.cli.flags import Flags
from tfseg.cli.verbs import VERBS

_COLUMN = 26


def overview() -> str:
    """The verbs in their groups."""
    lines = ["tfseg VERB: semantic segmentation with dilated convolutions", ""]
    groups = dict.fromkeys(row.group for row in VERBS.values())
    for group in groups:
        lines.append(f"{group}:")
        rows = [row for row in VERBS.values() if row.group == group]
        lines += [f"  {row.name:<17}{row.help}" for row in rows]
    lines += ["", "tfseg VERB --help shows a verb's most used flags, --helpfull all of them."]
    return "\n".join(lines)


def of_verb(name: str, module: types.ModuleType, flags: Flags, full: bool = False) -> str:
    """The help of a verb.

    Args:
        name: of the verb.
        module: of the verb; its docstring comes first, its GROUPS say what most people use.
        flags: `Flags`, defined.
        full: all flags with all that is to be said of them, not the most used in a line each.
    """
    usage = " ".join(["tfseg", name, "--FLAG=VALUE …", getattr(module, "PATHS", "")]).strip()
    lines = [usage, "", (module.__doc__ or "").strip()]
    groups = {title: names.split() for title, names in module.GROUPS.items()}
    if full:
        shown = {name for names in groups.values() for name in names}
        groups["More"] = [name for name in flags if name not in shown]
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    for title, names in groups.items():
        lines += ["", f"{title}:"] if full else [f"{title}:"]
        for name in names:
            lines += (_full if full else _line)(flags[name], flags, width)
    if not full:
        lines.insert(3, "")
        lines.append(f"--helpfull shows all {len(list(flags))} flags, and all that is to be said.")
    return "\n".join(lines)


def _shape(flag: absl_flags.Flag) -> str:
    """--name=VALUE; --[no]name."""
    if flag.boolean:
        return f"  --[no]{flag.name}"
    return f"  --{flag.name}="


def _text(flag: absl_flags.Flag, flags: Flags) -> str:
    # absl says of every flag that may be repeated that it may.
    return flags.spell(flag.help.split(";\n")[0])


def _line(flag: absl_flags.Flag, flags: Flags, width: int) -> list[str]:
    """The flag and the beginning of its help, in one line."""
    first = _text(flag, flags).split(". ")[0].split("; ")[0]
    text = textwrap.shorten(first, width - _COLUMN - 1, placeholder=" …")
    return [f"{_shape(flag):<{_COLUMN}} {text}"]


def _full(flag: absl_flags.Flag, flags: Flags, width: int) -> list[str]:
    text = _text(flag, flags)
    choices = getattr(flag.parser, "choices", None)
    if choices and "; ".join(choices[:2]) not in text:
        text += f" One of {', '.join(choices)}."
    if flag.default not in (None, "", []):
        text += f" Default {flag.default_as_str}."
    indent = " " * 6
    return [
        _shape(flag).rstrip("="),
        *textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent),
    ]
