"""`tfseg train --source=FOLDER`: what is said on the way from a folder to a trained network."""

import os
import re
import textwrap
from typing import Any

from tfseg import workflows
from tfseg.cli import next_step, shared
from tfseg.cli.flags import Flags
from tfseg.training.config import EARLIER_NAMES, TrainConfig
from tfseg.words import counted


def main(flags: Flags) -> int:
    """Does all of it; returns the exit code."""
    flags.require("run_dir")
    with shared.progress_bar("image") as progress:
        done = workflows.train_source(
            flags.source,
            flags.run_dir,
            flags.data_dir,
            classes=flags.classes,
            started=flags.started,
            progress_bar=shared.draws_bars(),
            progress=progress,
            fetch=shared.fetch,
            tell=lambda fact: _tell(flags, fact),
            **_given(flags),
        )
    flags.found = {**vars(done), "evaluation": done.evaluation and done.evaluation.values}
    if done.stopped_by:
        return 128 + done.stopped_by
    _say(f"report:   {done.evaluation.written[1]}")
    _say(f"overlays: {done.overlays}")
    next_step.say(next_step.after_source(done.run_dir, done.data_dir))
    return 0


def _given(flags: Flags) -> dict[str, Any]:
    """{setting: value} of the flags that were given, also by a recipe."""
    given: dict[str, Any] = {}
    earlier = {name: old for old, name in EARLIER_NAMES.items()}
    for field in TrainConfig.flag_fields():
        if field.name in ("data_dir", "run_dir"):
            continue
        if field.name == "model_options":
            if flags["model_option"].present:
                given["model_options"] = shared.parse_options(flags.model_option)
        elif any(flags[name].present for name in (field.name, earlier.get(field.name)) if name):
            given[field.name] = flags[field.name].value
    return given


def _say(text: str) -> None:
    # What is logged goes to stderr at once: neither overtakes the other.
    print(text, flush=True)


def _tell(flags: Flags, fact: Any) -> None:
    if isinstance(fact, str):
        _say(flags.spell(fact))
    elif isinstance(fact, workflows.Prepared):
        _tell_prepared(flags, fact)
    elif isinstance(fact, workflows.Proposal):
        _tell_proposal(flags, fact)
    else:
        from tfseg.reports import summary

        scores, images = fact.values["scores"], fact.values["protocol"]["images"]
        _say(f"\n{summary.class_table(fact.values)}\n")
        _say(
            f"mean IoU {scores['mean_iou']:.4f} and pixel accuracy {scores['pixel_accuracy']:.4f} "
            f"on {counted(images, 'image')} for {fact.values['protocol']['split']}"
        )


def _tell_prepared(flags: Flags, found: "workflows.Prepared") -> None:
    for note in found.notes:
        # What is left between backticks are options that `prepare` alone has.
        told = re.sub(r"`(\w+[^`]*)`", r"--\1 of tfseg prepare", flags.spell(note))
        _say(f"- {told}")
    folder = flags.data_dir or os.path.join(flags.run_dir, "data")
    images = ", ".join(f"{count} {split}" for split, count in found.counts.items())
    names = textwrap.shorten(", ".join(found.info.classes or ()), 300, placeholder=" …")
    _say(f"{folder}: {images}; {counted(found.num_classes, 'class')}: {names}")
    if found.skipped:
        _say(f"left out {counted(len(found.skipped), 'file')}: see {folder}/skipped.csv")
    if found.sheet:
        _say(f"look whether the masks are right: {found.sheet}")


def _tell_proposal(flags: Flags, proposal: "workflows.Proposal") -> None:
    _say(f"\nsettings for {proposal.data} and {proposal.machine}; what you give wins:")
    config = TrainConfig(data_dir=".", run_dir=".", **{"steps": 1, "model": "-", **proposal.values})
    rows = [(_flag(config, one.name), one.reason) for one in proposal.settings]
    width = min(max((len(flag) for flag, _ in rows), default=0), 48)
    for flag, reason in rows:
        _say(f"  {flag:<{width}}  {reason}")
    _say("")


def _flag(config: TrainConfig, name: str) -> str:
    value = getattr(config, name)
    if isinstance(value, dict):
        return " ".join(f"--model_option={key}={part}" for key, part in value.items())
    if isinstance(value, bool):
        return f"--{'' if value else 'no'}{name}"
    # A tuple of one is written with a comma, which a flag does without.
    return f"--{name}={config.text(name).rstrip(',')}"
