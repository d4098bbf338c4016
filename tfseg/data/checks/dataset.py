"""Checks a data folder before time is spent on training with it."""

import collections
import functools
import os
from concurrent import futures

import numpy as np

from tfseg.data.checks.journal import Journal
from tfseg.data.checks.pairs import inspect_pair
from tfseg.data.checks.report import CheckReport, SplitCheck
from tfseg.data.info import DataInfo
from tfseg.data.labels import describe_values, label_table
from tfseg.data.lists import read_split
from tfseg.errors import TfsegError
from tfseg.parallel import count_cores
from tfseg.visualize import class_names
from tfseg.words import counted

# How many pairs of a split the quick check decodes, and how many more label maps at most while
# there are classes that none of them shows.
_QUICK_SAMPLE, _QUICK_LABELS = 8, 512


def check_dataset(
    data_dir,
    num_classes=None,
    splits=("train", "val"),
    quick=False,
    journal=None,
    progress=None,
):
    """Checks that every file exists, decodes, matches its partner in size and has valid labels.

    Beyond these errors it warns of what is rarely meant: grey images, images with an EXIF
    orientation (which is followed), label maps with blended edges or with a palette in another
    order, label maps and classes without pixels, and files that are listed more than once. Palettes
    that disagree between files are errors, and so is a split without one pixel that counts.

    Args:
        data_dir: folder with lists and info.json.
        num_classes: how many classes the labels may have; None or 0: as info.json names.
        splits: the splits to check.
        quick: of all files read only the headers (existence, kind, sizes), and decode a few pairs
            of each split, evenly spread, and as many label maps as it takes to see each class.
        journal: path of a file that keeps what was found; what it says of files that have not
            changed is taken over, so that a check that was interrupted continues.
        progress: called as progress(done, total) after each pair of a split.

    Returns:
        `CheckReport`; files that are wrong are among its `errors`.

    Raises:
        TfsegError: info.json is missing or wrong, does not say how many classes there are, or
            `journal` can't be written.
    """
    info = DataInfo.load(data_dir)
    num_classes = num_classes or len(info.classes or [])
    if not num_classes:
        raise TfsegError(
            f'how many classes? {data_dir}/info.json has no class names: add them as "classes", '
            "or give `num_classes`"
        )
    names = class_names(info.classes, num_classes)
    table = label_table(num_classes, info.label_map, info.ignore_label)
    report = CheckReport(errors=[], warnings=[], splits={}, classes=names, quick=quick)
    lists, painted = {}, {}
    with Journal(journal) as journal:
        for name in splits:
            try:
                lists[name] = read_split(data_dir, name)
            except TfsegError as error:
                report.errors.append(str(error))
                continue
            found = _inspect_all(lists[name], table, info, quick, journal, progress)
            split = _judge(lists[name], found, table, info, report, painted)
            report.splits[name] = split
            _check_shown(name, split, info, report)
            report.warnings += split.warnings
    _check_palettes(painted, report)
    _check_names(lists, report)
    return report


def _inspect_all(image_list, table, info, quick, journal, progress):
    """Yields what `inspect_pair` says of each entry."""
    known = {}

    def inspect(index):
        if index in known:
            return known[index]
        if quick:
            return inspect_pair(image_list, index, whole=False, whole_label=False)
        return journal.recall(image_list, index, lambda: inspect_pair(image_list, index))

    # Decoders leave Python's lock, so threads use all cores.
    with futures.ThreadPoolExecutor(min(32, 2 * count_cores())) as pool:
        try:
            if quick:
                known |= _sample(image_list, table, info, pool)
            for done, facts in enumerate(pool.map(inspect, range(len(image_list))), 1):
                yield facts
                if progress:
                    progress(done, len(image_list))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _sample(image_list, table, info, pool):
    """{index: facts} of a few pairs, and of more label maps until each class was seen.

    A split in which nothing counts is gone through to its end: only then is that certain.
    """
    wanted = set(table[table >= 0].tolist()) - {info.ignore_label}
    facts, shown, count = {}, set(), _QUICK_SAMPLE
    while True:
        chosen = set(np.linspace(0, len(image_list) - 1, count).astype(int).tolist()) - set(facts)
        inspect = functools.partial(inspect_pair, image_list, whole=count == _QUICK_SAMPLE)
        found = pool.map(inspect, sorted(chosen))
        facts |= dict(zip(sorted(chosen), found, strict=True))
        for index in chosen:
            shown |= {int(table[int(value)]) for value in facts[index]["counts"]} & wanted
        if shown == wanted or len(facts) == len(image_list):
            return facts
        if shown and len(facts) >= _QUICK_LABELS:
            return facts
        count *= 2


def _judge(image_list, found, table, info, report, painted):
    """The `SplitCheck` of a split; adds to the report's errors and warnings, and to `painted`."""
    sizes, counts = collections.Counter(), np.zeros(256, np.int64)
    split = SplitCheck(len(image_list), sizes, np.zeros(len(report.classes), np.int64))
    turned, bands = [], info.bands
    for index, facts in enumerate(found):
        _judge_pixels(image_list.image_titles[index], facts, bands, report)
        report.errors += facts["errors"]
        report.warnings += facts["warnings"]
        title = image_list.label_titles[index]
        edges = ": its edges are blended" if facts["blended"] else ""
        for value, count in facts["counts"].items():
            if table[int(value)] < 0:
                split.wrong = True
                report.errors.append(
                    f"label map {title} has the value {value} in {counted(count, 'pixel')}; "
                    f"allowed are {describe_values(table, info.ignore_label)}{edges}"
                )
            counts[int(value)] += count
        if facts["blended"]:
            report.warnings.append(
                f"label map {title} looks anti-aliased or interpolated: {facts['blended']:.0%} of "
                "its edges pass through values in between; resize label maps to the nearest value"
            )
        report.warnings += _palette_warnings(title, facts["palette"], table, info)
        for value, colour in facts["palette"].items():
            if 0 <= table[int(value)] != info.ignore_label:
                painted.setdefault(int(value), {}).setdefault(tuple(colour), title)
        split.decoded += bool(facts["counts"])
        if facts["counts"] and all(table[int(x)] == info.ignore_label for x in facts["counts"]):
            split.empty.append(title)
        if facts["size"] and not facts["errors"]:
            sizes[tuple(facts["size"])] += 1
        if facts["turned"] != 1:
            turned.append(image_list.image_titles[index])
    if turned:
        of = f"of {counted(len(image_list), 'image')}"
        report.warnings.append(
            f"{counted(len(turned), f'{of} is turned', f'{of} are turned')} as EXIF orientation "
            f"says, such as {turned[0]}: their label maps must show them upright"
        )
    split.ignored = int(counts[table == info.ignore_label].sum())
    for value in np.flatnonzero((table >= 0) & (table != info.ignore_label)):
        split.pixels[table[value]] += counts[value]
    return split


def _judge_pixels(title, facts, bands, report):
    """Whether an image holds what info.json says of all."""
    if not facts["pixels"]:
        return
    channels, bits, alpha = facts["pixels"]
    fault = bands.fault(channels, bits, alpha)
    if facts["kind"] == "NPY" and bands.is_photograph:
        fault = "is an NPY file; 8-bit RGB is read from PNG and JPEG files alone"
    if fault:
        report.errors.append(f"image {title} {fault}")
    elif bands.channels == 3 and channels - alpha == 1 and facts["counts"]:
        kind = facts["kind"].partition(" ")[2] or facts["kind"]
        report.warnings.append(f"image {title} is grey ({kind}): it becomes RGB")


def _palette_warnings(title, palette, table, info):
    """Whether a palette PNG paints its indices in the colours of other classes."""
    known = {tuple(colour): index for index, colour in enumerate(info.palette or [])}
    for value, colour in palette.items():
        index = table[int(value)]
        meant = known.get(tuple(colour), index)
        if 0 <= index != info.ignore_label and meant != index and meant < len(info.classes or []):
            return [
                f"label map {title} paints the value {value} in the colour of {meant} "
                f"({info.classes[meant]}): is its palette in another order than info.json's?"
            ]
    return []


def _check_shown(name, split, info, report):
    """Looks for label maps and classes without pixels; a split without any is an error."""
    if not split.decoded or split.wrong:
        return
    seen = f"the {counted(split.decoded, 'label map')}"
    seen += " looked at" if split.decoded < split.pairs else ""
    hint = ""
    if info.ignore_label == 255 and not info.label_map and len(split.pixels) == 2:
        hint = ': if 255 is a class, say so by "label_map": {"0": 0, "255": 1} in info.json'
    if not split.pixels.any():
        if split.ignored:
            report.errors.append(
                f"the split {name} has no pixel that counts: all pixels of {seen} are "
                f"ignored ({info.ignore_label}), so there is nothing to learn or to measure"
            )
        return
    if split.empty:
        have = counted(len(split.empty), f"of {seen} has", f"of {seen} have")
        split.warnings.append(
            f"the split {name}: {have} no pixel that counts, such as {split.empty[0]}"
        )
    missing = set(np.flatnonzero(split.pixels == 0).tolist()) - {info.ignore_label}
    absent = [f"{index} ({report.classes[index]})" for index in sorted(missing)]
    if absent:
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        classes = "class" if len(absent) == 1 else "classes"
        none_has = f"none of {seen} has a" if split.decoded > 1 else f"{seen} has no"
        split.warnings.append(
            f"the split {name}: {none_has} pixel of the {classes} "
            f"{', '.join(absent[:5])}{more}{hint if split.ignored else ''}"
        )


def _check_palettes(painted, report):
    """An error where files paint one label value in different colours.

    Args:
        painted: {label value of a class: {colour: the first label map that paints it so}}.
    """
    for value, colours in painted.items():
        if len(colours) > 1:
            (one, first), (other, second) = list(colours.items())[:2]
            report.errors.append(
                f"the palettes disagree: {first} paints the value {value} in {one}, {second} in "
                f"{other}, so one value means two classes; preparing the "
                "folder by a table of colours (`color_map`) turns such label maps into indices"
            )
            return


def _check_names(lists, report):
    """Looks for files that are listed twice, and for label maps beside other images' names."""
    owners = {}
    for split, image_list in lists.items():
        labels = image_list.labels if image_list.offsets is None else []
        for kind, names in (("image", image_list.names), ("label map", labels)):
            for name in names:
                # Predictions are laid out by name, without the extension.
                key = (kind, os.path.splitext(name)[0])
                if key in owners:
                    first, other = owners[key]
                    other = "" if other == name else f" as {other}"
                    report.warnings.append(
                        f"{kind} {name} of the split {split} has a duplicate: "
                        f"it is listed in {first}{other}"
                    )
                owners.setdefault(key, (split, name))
        if labels:
            report.errors += _check_order(image_list)


def _check_order(image_list):
    """An error where names say that the two lists of a split are in different orders."""
    stems = []
    for paths in (image_list.images, image_list.labels):
        names = [os.path.splitext(os.path.basename(path))[0] for path in paths]
        shared = 0
        for letters in zip(*(reversed(name) for name in names), strict=False):
            if len(set(letters)) > 1:
                break
            shared += 1
        stems.append([name[: len(name) - shared] for name in names])
    images, labels = stems
    if images == labels or len(set(labels)) < len(labels) or set(images) != set(labels):
        return []
    wrong = [index for index in range(len(images)) if images[index] != labels[index]]
    first = wrong[0]
    return [
        f"the lists are in different orders in {counted(len(wrong), 'place')}: image "
        f"{image_list.images[first]} stands beside label map {image_list.labels[first]}"
    ]
