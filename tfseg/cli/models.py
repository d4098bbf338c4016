"""Lists what there is: models, the parts that they are made of, and released weights.

    tfseg models
    tfseg models --grep=drn_d
    tfseg models --released

A model is a published name, or ENCODER+DECODER. A release is loaded by its name wherever weights
are asked for: `tfseg predict --weights=NAME`, `tfseg train --init_weights=NAME`.
"""

import textwrap
from typing import Any

from tfseg.cli.flags import Flags
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.errors import unknown
from tfseg.models import list_models
from tfseg.words import counted

GROUPS = {"What to list": "grep released json"}


def define(flags: Flags) -> None:
    flags.string("grep", None, "Only names with this in them, ENCODER+DECODER among them.")
    flags.boolean("released", False, "Released weights, with what is known of them.")
    flags.report()


def main(flags: Flags) -> None:
    if flags.released:
        flags.found = print_releases(flags.grep or "")
        return
    if flags.grep:
        names = [name for name in list_models() if flags.grep in name]
        if not names:
            raise unknown("part of a model's name", flags.grep, list_models())
        flags.found = names
        print("\n".join(names))
        return
    published = [name for name in list_models() if "+" not in name]
    flags.found = {"models": published, "encoders": [*ENCODERS], "decoders": [*DECODERS]}
    for title, group in (
        ("Published models", published),
        ("Encoders", list(ENCODERS)),
        ("Decoders", list(DECODERS)),
    ):
        print(f"{title}:")
        text = textwrap.fill(", ".join(group), 96, break_on_hyphens=False)
        print(textwrap.indent(text, "  ") + "\n")
    print("A model is one of the published, or ENCODER+DECODER; --released lists weights.")


def print_releases(pattern: str) -> dict[str, Any]:
    """Prints the releases that have `pattern` in their names, and returns them."""
    from tfseg.zoo import RELEASES

    found = {name: row for name, row in RELEASES.items() if pattern in name}
    if not found:
        raise unknown("part of a release's name", pattern, RELEASES)
    width = max(map(len, found))
    for name, row in found.items():
        scores = ", ".join(f"{key} {value}" for key, value in row.scores.items()) or "no score"
        how = "" if all(file.url for file in row.files) else "; fetched by hand"
        kind = "classifier" if row.classifier else "segmenter"
        print(
            f"{name:<{width}}  {kind} {row.model}, {counted(row.num_classes, 'class')}, "
            f"{row.dataset or 'data set not stated'}: {scores}; {row.source}, "
            f"licence {row.licence or 'not stated'}{how}"
        )
    return found
