"""Lists what there is: models, the parts that they are made of, and released weights.

    tfseg models
    tfseg models --grep=drn_d
    tfseg models --released

A model is a published name, or ENCODER+DECODER. A release is loaded by its name wherever weights
are asked for: `tfseg predict --weights=NAME`, `tfseg train --init_weights=NAME`.
"""

import textwrap

from tfseg.cli.flags import Flags
from tfseg.decoders import DECODERS
from tfseg.encoders import ENCODERS
from tfseg.errors import TfsegError
from tfseg.models import list_models

GROUPS = {"What to list": "grep released"}


def define(flags: Flags) -> None:
    flags.string("grep", None, "Only names with this in them, ENCODER+DECODER among them.")
    flags.boolean("released", False, "Released weights, with what is known of them.")


def main(flags: Flags) -> None:
    if flags.released:
        print_releases(flags.grep or "")
        return
    if flags.grep:
        names = [name for name in list_models() if flags.grep in name]
        if not names:
            raise TfsegError(f"no model has '{flags.grep}' in its name; tfseg models lists them")
        print("\n".join(names))
        return
    published = [name for name in list_models() if "+" not in name]
    for title, group in (
        ("Published models", published),
        ("Encoders", list(ENCODERS)),
        ("Decoders", list(DECODERS)),
    ):
        print(f"{title}:")
        text = textwrap.fill(", ".join(group), 96, break_on_hyphens=False)
        print(textwrap.indent(text, "  ") + "\n")
    print("A model is one of the published, or ENCODER+DECODER; --released lists weights.")


def print_releases(pattern: str) -> None:
    from tfseg.zoo import RELEASES

    found = {name: row for name, row in RELEASES.items() if pattern in name}
    if not found:
        raise TfsegError(f"no release has '{pattern}' in its name")
    width = max(map(len, found))
    for name, row in found.items():
        scores = ", ".join(f"{key} {value}" for key, value in row.scores.items()) or "no score"
        how = "" if all(file.url for file in row.files) else "; fetched by hand"
        kind = "classifier" if row.classifier else "segmenter"
        print(
            f"{name:<{width}}  {kind} {row.model}, {row.num_classes} classes, "
            f"{row.dataset or 'data set not stated'}: {scores}; {row.source}, "
            f"licence {row.licence or 'not stated'}{how}"
        )
