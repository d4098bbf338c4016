"""Which mask belongs to which image, by their names alone."""

import collections
import itertools
import re

_CORE = re.compile(r"\d.*\d|\d")


def match(images, masks):
    """Pairs files whose names differ by a prefix and a suffix that are always the same.

    Args:
        images, masks: names without folders and extensions.

    Returns:
        {image: mask}, and in words what the names differ by, "" where they are the same.
    """
    images, masks = set(images), set(masks)
    # Looked at evenly, as the first names may be odd ones.
    votes = collections.Counter({("", "", "", ""): len(images & masks)})
    sample = _spread(sorted(masks), 40)
    for mask in sample:
        votes.update(("", "", *ends) for ends in _around(mask, images))
    for image in _spread(sorted(images), 40):
        votes.update((*ends, "", "") for ends in _around(image, masks))
    by_core = collections.defaultdict(list)
    for image in images:
        if core := _CORE.search(image):
            by_core[core[0]].append(image)
    rows = [(image, mask) for mask in sample for image in _of_core(mask, by_core)]
    if len(images) == len(masks):
        rows += _spread(list(zip(sorted(images), sorted(masks), strict=True)), 40)
    votes.update(filter(None, (_differences(*row) for row in rows)))
    best, found = ("", "", "", ""), {}
    for ends, _ in votes.most_common(8):
        pairs = _pairs(images, masks, ends)
        # One pair that shares a letter or two is chance.
        if len(pairs) == 1 and any(ends[:2]) and any(ends[2:]):
            pairs = {image: mask for image, mask in pairs.items() if _is_core(image, ends)}
        shorter = len(pairs) == len(found) and sum(map(len, ends)) < sum(map(len, best))
        if len(pairs) > len(found) or (pairs and shorter):
            best, found = ends, pairs
    return found, _words(best)


def split_by_affix(names):
    """(images, masks) of names that lie in one folder, where masks are images with an affix.

    Without such pairs all are images.
    """
    names = set(names)
    votes = collections.Counter(
        ends
        for name in _spread(sorted(names), 200)
        for ends in _around(name, names)
        if re.search(r"[^\W\d]", "".join(ends))
    )
    for (before, after), _ in votes.most_common(3):
        masks = {
            name
            for name in names
            if name.startswith(before)
            and name.endswith(after)
            and name[len(before) : len(name) - len(after)] in names - {name}
        }
        if len(masks) > 0.3 * len(names):
            return names - masks, masks
    return names, set()


def _spread(rows, count):
    step = max(1, len(rows) // count)
    return rows[::step][:count]


def _around(name, cores):
    """(before, after) of each part of a name that is one of `cores`, itself aside."""
    for start in range(len(name)):
        for end in range(len(name), start, -1):
            if end - start < len(name) and name[start:end] in cores:
                yield name[:start], name[end:]


def _of_core(mask, by_core):
    core = _CORE.search(mask)
    return by_core.get(core[0], [])[:3] if core else []


def _common(first, second):
    """How many letters both begin with."""
    same = (a == b for a, b in zip(first, second, strict=False))
    return sum(1 for _ in itertools.takewhile(bool, same))


def _differences(image, mask):
    """The ends of both around the longest part that they share from a first difference on."""
    start = _common(image, mask)
    end = _common(image[start:][::-1], mask[start:][::-1])
    cores = [image[:start], image[len(image) - end :] if end else ""]
    if core := _CORE.search(image):
        cores.append(core[0])
    core = max(cores, key=len)
    if not core or core not in mask:
        return None
    at, other = image.index(core), mask.index(core)
    return image[:at], image[at + len(core) :], mask[:other], mask[other + len(core) :]


def _pairs(images, masks, ends):
    first, last, before, after = ends
    found = {}
    for image in images:
        if not (image.startswith(first) and image.endswith(last)):
            continue
        core = image[len(first) : len(image) - len(last)]
        mask = f"{before}{core}{after}"
        if core and mask in masks:
            found[image] = mask
    return found


def _is_core(image, ends):
    core = image[len(ends[0]) : len(image) - len(ends[1])]
    return len(core) > 2 or bool(_CORE.search(core))


def _words(ends):
    parts = [
        f"{kind} {'begin' if place == 0 else 'end'} with '{text}'"
        for kind, pair in (("images", ends[:2]), ("masks", ends[2:]))
        for place, text in enumerate(pair)
        if text
    ]
    return " and ".join(parts)
