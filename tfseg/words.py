"""Numbers in sentences."""

# Besides -es after a hiss and -ies for -y, which the rules below know.
_IRREGULAR = {"axis": "axes", "index": "indices"}


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with what it counts: "1 image", "2 images", "0 classes", "1 entry", "3 entries".

    Args:
        number: how many; at least 0.
        noun: what, as one is called. Words before it stay: "label map", "training image".
        plural: as several are called, where the last word's ending doesn't make it: with a verb
            ("image has", "images have"), or words behind the noun.
    """
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {plural or _plural(noun)}"


def _plural(noun: str) -> str:
    before, space, last = noun.rpartition(" ")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith(("s", "x", "sh", "ch")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    else:
        last += "s"
    return f"{before}{space}{last}"
