"""Compares runs, evaluations and folders of predictions, image by image.

    tfseg compare runs/a runs/b
    tfseg compare --data_dir=data/camvid theirs ours --output_dir=out

Takes run directories and output folders of `tfseg evaluate`, and folders of any program's
predictions, which need --data_dir. All others are compared with the first: prints each score, the
differences in percentage points, and their 95% intervals on the same images; with --output_dir also
writes comparison.json and comparison.html, which has the images that changed most. Runs that differ
by their seed alone are taken together: their mean, and their spread.
"""

from tfseg import workflows
from tfseg.cli import judging, shared
from tfseg.cli.flags import Flags
from tfseg.errors import TfsegError

PATHS = "FOLDER FOLDER…"
GROUPS = {
    "What": "data_dir split seeds",
    "Results": "output_dir json",
    "Intervals": "group_by replicates",
}
NEEDS = judging.INTERVAL_NEEDS


def define(flags: Flags) -> None:
    shared.define_data(flags, split="val")
    flags.boolean("seeds", True, "Take runs that differ by their seed alone as one.")
    flags.string("output_dir", None, "Folder for comparison.json and comparison.html.")
    flags.report()
    judging.define_intervals(flags)


def main(flags: Flags, paths: list[str]) -> None:
    from tfseg.reports import comparison

    if len(paths) < 2:
        raise TfsegError("name two or more runs, evaluations or folders of predictions")
    with shared.progress_bar("image") as progress:
        values = workflows.compare(
            paths,
            flags.data_dir,
            flags.split,
            flags.output_dir,
            group_by=flags.group_by,
            replicates=flags.replicates,
            seeds=flags.seeds,
            progress=progress,
        )
    flags.found = values
    print(comparison.table(values))
    if flags.output_dir:
        print(f"\nwritten to {flags.output_dir}/comparison.html")
