"""Refines kept logits by a dense CRF, in several processes.

    tfseg evaluate … --save_logits=logits
    tfseg crf --run_dir=runs/camvid --logits_dir=logits --output_dir=crf --jobs=8
    tfseg crf … --grid=bilateral_xy=33,67 --grid=bilateral_rgb=3,5,9 --images=100

Writes label maps (8-bit PNG) to OUTPUT_DIR/labels and metrics.json to OUTPUT_DIR. Run again after
an interruption, it does what is missing. With --grid, it scores every combination of the values on
the first --images of the split instead, and writes grid.json.
"""

import dataclasses
import time

from tfseg import runs, workflows
from tfseg.cli import protocol, shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, without
from tfseg.errors import TfsegError
from tfseg.parallel import count_cores
from tfseg.parts import Unfinished
from tfseg.words import counted

GROUPS = {
    "Data": "run_dir data_dir split logits_dir output_dir images json",
    "CRF": "crf_option grid jobs part",
}
NEEDS = {
    "run_dir": Need("--data_dir=FOLDER", without("data_dir"), beside=True),
    "part": Need("--grid=bilateral_xy=33,67", without("grid"), beside=True),
}


def define(flags: Flags) -> None:
    flags.string("run_dir", None, "The run whose logits they are: instead of its --data_dir.")
    shared.define_data(flags, split="val")
    flags.string("logits_dir", None, "What --save_logits of `tfseg evaluate` named.")
    flags.string("output_dir", None, "Folder for the results.")
    flags.integer("jobs", count_cores(), "Processes.", 1)
    flags.integer("images", 0, "The first so many images alone; 0 for all.", 0)
    flags.multi("grid", [], "Parameter and values to compare, as bilateral_xy=33,67.")
    protocol.define_crf(flags, switch=False)
    shared.define_part(flags)
    flags.report()


def main(flags: Flags) -> None:
    flags.require(*([] if flags.run_dir else ["data_dir"]), "logits_dir", "output_dir")
    from tfseg.reports import summary

    # What may be wrong with the flags is said before what isn't installed.
    data_dir = flags.data_dir or runs.data_dir_of(flags.run_dir)
    parameters = _grid(flags)
    part = None if parameters else shared.read_part(flags)
    crf = protocol.read_crf(flags)
    start = time.perf_counter()
    with shared.progress_bar("image") as progress:
        arguments = {
            "data_dir": data_dir,
            **{name: flags[name].value for name in ("logits_dir", "output_dir")},
            **{name: flags[name].value for name in ("split", "images", "jobs")},
            "progress": progress,
        }
        if parameters:
            results, path = workflows.search(crf, parameters, **arguments)
        else:
            found = workflows.refine(crf, **arguments, part=part)
    seconds = time.perf_counter() - start
    if not parameters and isinstance(found, Unfinished):
        shared.say_unfinished(flags, found)
        return
    flags.found = {"crfs": [dict(one) for one in results]} if parameters else found.values
    if parameters:
        for result in results:
            score = result.pop("mean_iou")
            print(f"mean IoU {score:.4f}  {summary.plain(result)}")
        print(f"\n{len(results)} CRFs in {seconds:.1f} s")
        print(f"the best first; written to {path}")
        return
    print(summary.table(found.values))
    there = f"; {found.kept} were there already" if found.kept else ""
    print(f"\nrefined {counted(found.refined, 'image')} in {seconds:.1f} s{there}")
    print(f"written to {found.metrics_path} and {found.labels_dir}")


def _grid(flags: Flags) -> dict[str, list[float]]:
    """{parameter: values} of --grid."""
    from tfseg.inference.crf import CRF

    names = [field.name for field in dataclasses.fields(CRF)]
    values = {}
    for text in flags.grid:
        name, _, numbers = text.partition("=")
        numbers = shared.parse_value(numbers)
        values[name] = numbers if isinstance(numbers, list) else [numbers]
        if name not in names or not all(type(x) in (int, float) for x in values[name]):
            raise TfsegError(f"--grid={text} must be one of {', '.join(names)}, then = and numbers")
    return values
