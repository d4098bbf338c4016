"""What the lines of a list mean: names of files, one or two a line, as people and programs write.

What is plain is taken: quotes, commas, a heading, comments, a leading slash or backslashes where
the file lies below the data folder. Where the files that are there don't decide, a line is refused.
"""

import functools
import os
import re

from tfseg.errors import TfsegError
from tfseg.files import parse_json, read_text

# Where images and their label maps lie, by the names of tools and releases: (images, label maps).
FOLDERS = (
    ("images", "labels"),
    ("images", "annotations"),
    ("images", "masks"),
    ("imgs", "masks"),
    ("img_dir", "ann_dir"),
    ("JPEGImages", "SegmentationClassAug"),
    ("JPEGImages", "SegmentationClass"),
)
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
LABEL_ENDINGS = (".png",)
_LARGEST_SIDE = 2**31 - 1


def read_lines(path):
    """[(line number, text)] of the lines of a list that are not empty.

    Raises:
        TfsegError: the list can't be read or has no such line.
    """
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", read_text(path))]
    lines = [(number, line) for number, line in enumerate(lines, 1) if line]
    if not lines:
        raise TfsegError(f"{path} is empty: it lists no image")
    for number, line in lines:
        require_name(line, f"{path}, line {number}")
    return lines


def require_name(text, title):
    """Refuses what can't be a file's name.

    Raises:
        TfsegError: no text, an empty one, or one with NUL or half characters.
    """
    if not isinstance(text, str) or not text:
        raise TfsegError(f"{title}: a file's name is needed, not {text!r}")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise TfsegError(f"{title}: a name with a character that names can't have: {text[:80]!r}")


class Names:
    """What the names of a list mean on this machine.

    Args:
        root: absolute path of the folder that relative names start from.
        prefix: a leading folder of the listed names that stands for `root`.
    """

    def __init__(self, root, prefix=""):
        self.root, self.prefix = root, prefix
        self._stems = functools.cache(self._list_stems)
        self._tops = functools.cache(self._is_below)

    def path(self, name):
        """The absolute path, or URL, of a listed name.

        An absolute name that is found below the folder means that, as in DeepLab's lists of VOC
        (/JPEGImages/…); so do backslashes where they lead to a file. ~ is the home folder.
        """
        name = name.removeprefix(self.prefix)
        if "://" in name:
            return name
        if "\\" in name and not self._found(name):
            turned = name.replace("\\", "/")
            name = turned if self._found(turned) else name
        if name.startswith("~") and not self._found(name):
            name = os.path.expanduser(name)
        inside = name.lstrip("/")
        # Asking for every file would be slow on remote disks; its first folder mostly tells.
        if inside != name and self._tops(inside.partition("/")[0]) and self._found(inside):
            name = inside
        path = os.path.normpath(os.path.join(self.root, name))
        # POSIX leaves it open what two slashes at the start mean; to Linux and macOS they are one.
        return path[1:] if path.startswith("//") and os.name == "posix" else path

    def exists(self, name):
        """Whether there is such a file; of what is remote it is taken for granted."""
        path = self.path(name)
        return "://" in path or os.path.isfile(path)

    def by_stem(self, stem):
        """(image, label map) called so in one of the usual pairs of `FOLDERS`, or None."""
        for images, labels in FOLDERS:
            image = self._stems(images, IMAGE_ENDINGS).get(stem)
            label = self._stems(labels, LABEL_ENDINGS).get(stem)
            if image and label:
                return image, label
        return None

    def _found(self, name):
        return os.path.isfile(os.path.join(self.root, name))

    def _is_below(self, first):
        return os.path.exists(os.path.join(self.root, first))

    def _list_stems(self, folder, endings):
        path = os.path.join(self.root, folder)
        files = sorted(os.listdir(path)) if os.path.isdir(path) else []
        split = [os.path.splitext(file) for file in files]
        return {stem: f"{folder}/{stem}{end}" for stem, end in split if end.lower() in endings}


def single_names(path, names):
    """The names of a list that has one a line.

    Args:
        path: the list.
        names: `Names` of its folder.

    Raises:
        TfsegError: the list can't be read or is empty.
    """
    rows = [(number, [_bare(line)]) for number, line in _entries(path, names)]
    return [name for _, (name,) in _without_head(rows, names)]


def pairs(path, names, labels=True):
    """The (image, label map) of each line of a list of pairs.

    Args:
        path, names: as for `single_names`.
        labels: whether label maps are wanted; without, a line may name an image alone.

    Raises:
        TfsegError: the list can't be read, is empty, or has a line that is no pair.
    """
    rows = []
    for number, line in _entries(path, names):
        row = _parts(line, names)
        if len(row) == 1 and not names.exists(row[0]):
            row = names.by_stem(row[0]) or row
        if len(row) != 2 and (labels or len(row) != 1):
            raise TfsegError(
                f"{path}, line {number}: expected `image label`, found {len(row)} "
                f"part{'s' if len(row) != 1 else ''}: {line[:80]} (a tab, a comma or quotes set "
                "names with spaces apart)"
            )
        rows.append((number, row))
    return [row for _, row in _without_head(rows, names)]


def odgt(path, labels=True):
    """[(image, label, (height, width))] of ADE20K's list; without `labels` a label may be None.

    Raises:
        TfsegError: the list can't be read, is empty, or has a line that is not what it should be.
    """
    rows = []
    for number, line in read_lines(path):
        try:
            entry = parse_json(line)
            image, size = entry["fpath_img"], (entry["height"], entry["width"])
            label = entry["fpath_segm"] if labels else entry.get("fpath_segm")
            if not isinstance(image, str) or (labels and not isinstance(label, str)):
                raise TypeError("paths must be text")
            if not all(type(x) is int and 0 < x <= _LARGEST_SIDE for x in size):
                raise TypeError("width and height must be positive whole numbers")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise TfsegError(
                f"{path}, line {number}: expected a JSON object with fpath_img, fpath_segm, width "
                f"and height: {reason}"
            ) from error
        for name in (image, label) if labels else (image,):
            require_name(name, f"{path}, line {number}")
        rows.append((image, label, size))
    return rows


def _entries(path, names):
    """The lines of a list that are no comments."""

    def is_comment(line):
        if not line.startswith("#"):
            return False
        return "://" in line or not (names.exists(line) or names.exists(line.split()[0]))

    lines = [(number, line) for number, line in read_lines(path) if not is_comment(line)]
    if not lines:
        raise TfsegError(f"{path} is empty: it lists no image")
    return lines


def _bare(line):
    """A name without quotes around it and a comma after it."""
    line = line.rstrip(" ,")
    quoted = len(line) > 2 and line[0] == line[-1] and line[0] in "\"'"
    return line[1:-1] if quoted else line


def _parts(line, names):
    """The names in a line, of which there should be two."""
    if "\t" in line:
        return [_bare(name.strip()) for name in line.split("\t")]
    if '"' in line:
        return [quoted or bare for quoted, bare in re.findall(r'"([^"]+)"|([^\s,"]+)', line)]
    line = line.rstrip(" ,")
    cuts = [(line[: cut.start()], line[cut.end() :]) for cut in re.finditer(r"\s*,\s*|\s+", line)]
    if len(cuts) > 1:
        # Names with spaces or commas: the files tell where one ends, unless they don't.
        whole = [cut for cut in cuts if all(map(names.exists, cut))]
        return whole[0] if len(whole) == 1 else re.split(r"\s*,\s*|\s+", line)
    return cuts[0] if cuts else [line]


def _without_head(rows, names):
    """The numbered rows without a table's heading: words in front of names that have endings."""
    if len(rows) > 1:
        head, first = ([os.path.splitext(name)[1] for name in row] for _, row in rows[:2])
        if not any(head) and all(first) and not any(map(names.exists, rows[0][1])):
            return rows[1:]
    return rows
