"""Which images train and which validate, where a source doesn't say."""

import collections
import os
import re

from tfseg.errors import TfsegError
from tfseg.words import counted

VAL_SHARE = 0.2


def part(items, val_share, group_by, source, notes):
    """The splits of a source's images; without a validation split, a share of them becomes one.

    Args:
        items: `Item`s.
        val_share: the share, 0..1; None: `VAL_SHARE`.
        group_by: a regular expression; images whose names it finds the same in (in its first
            group, if there is one) stay in one split.
        source: what messages call the source.
        notes: a list that gets what a person should know.

    Returns:
        {split: items}

    Raises:
        TfsegError: images lie beside the folders of splits, there is a validation split already, or
            `group_by` is no regular expression or finds nothing in a name.
    """
    beside = [item.image for item in items if item.split is None]
    if beside and any(item.split == "train" for item in items):
        raise TfsegError(
            f"{beside[0]} lies in none of the folders of splits beside it: move it into one"
        )
    splits = collections.defaultdict(list)
    for item in sorted(items, key=lambda item: item.name):
        splits[item.split or "train"].append(item)
    if "val" in splits and val_share:
        raise TfsegError(f"`val_share` has no meaning: {source} has a validation split")
    share = VAL_SHARE if val_share is None else val_share
    if "val" in splits or not share or "train" not in splits:
        if group_by and "val" in splits:
            raise TfsegError(f"`group_by` has no meaning: {source} has a validation split")
        return _in_order(splits)
    groups = _grouped(splits["train"], group_by)
    count = round(share * len(groups))
    if len(groups) > 1:
        count = min(max(count, 1), len(groups) - 1)
    chosen = {(2 * k + 1) * len(groups) // (2 * count) for k in range(count)}
    parts = {"train": [], "val": []}
    for number, group in enumerate(groups.values()):
        parts["val" if number in chosen else "train"] += group
    if parts["val"]:
        of = f" ({count} of {counted(len(groups), 'group')})" if group_by else ""
        notes.append(
            f"no validation split: set aside {len(parts['val'])} of "
            f"{counted(len(splits['train']), 'image')}{of}, evenly over the sorted names"
        )
    if not group_by and (hint := _video_like([item.name for item in splits["train"]])):
        notes.append(f"names look like frames of scenes: {hint} keeps each scene together")
    return _in_order({**splits, **{name: part for name, part in parts.items() if part}})


def _in_order(splits):
    order = [name for name in ("train", "val", "test") if splits.get(name)]
    return {name: splits[name] for name in [*order, *(set(splits) - {"train", "val", "test"})]}


def _grouped(items, group_by):
    groups = collections.OrderedDict()
    try:
        pattern = re.compile(group_by) if group_by else None
    except re.error as error:
        raise TfsegError(f"`group_by={group_by}` is no regular expression: {error}") from error
    for number, item in enumerate(items):
        match = pattern and pattern.search(item.name)
        if pattern and not match:
            raise TfsegError(f"`group_by={group_by}` finds nothing in {item.name}")
        key = (match[1] if pattern.groups else match[0]) if match else number
        groups.setdefault(key, []).append(item)
    return groups


def _video_like(names):
    """The flag that keeps scenes together, where names are several stems with frame numbers."""
    stems = [
        re.fullmatch(r"(.*?[A-Za-z].*?)[_\-. ]+\d+(\.\w+)?", os.path.basename(n)) for n in names
    ]
    if len(names) < 8 or not all(stems):
        return None
    scenes = collections.Counter(match[1] for match in stems)
    if 1 < len(scenes) <= len(names) // 3:
        return r"`group_by=([^/]+)[_. -]\d+\.\w+$`"
    return None
