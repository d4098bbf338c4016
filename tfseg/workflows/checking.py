"""Checking a data folder."""

import os
from collections.abc import Callable, Iterable

from tfseg.data import CheckReport, check_dataset
from tfseg.reports.contact_sheet import write_contact_sheet


def check(
    data_dir: str,
    splits: Iterable[str] = ("train", "val"),
    num_classes: int = 0,
    *,
    quick: bool = False,
    resume: bool = True,
    contact_sheet: str | None = None,
    sheet_images: int = 24,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Looks at every image and label map of a data folder.

    Args:
        data_dir: the data folder.
        splits: which of its lists.
        num_classes: how many classes there are; 0 for as many as info.json names.
        quick: read all headers but decode only a few files.
        resume: keep what is found in check.jsonl in the folder, and use what it says.
        contact_sheet: an HTML file to write with sampled images and overlays, or None.
        sheet_images: how many images of each split it shows.
        progress: called as progress(done, total) with numbers of images.

    Raises:
        TfsegError: there is no such folder, or a file can't be written. What is wrong with the data
            is in the report.
    """
    journal = None
    if resume and not quick and os.path.isdir(data_dir):
        journal = os.path.join(data_dir, "check.jsonl")
    report = check_dataset(data_dir, num_classes, list(splits), quick, journal, progress)
    if contact_sheet:
        write_contact_sheet(contact_sheet, data_dir, report, sheet_images)
    return report
