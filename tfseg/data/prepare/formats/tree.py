"""A source: the files below a folder, listed once for all that recognise and read it."""

import fnmatch
import functools
import os
import re

from tfseg.data.entries import IMAGE_ENDINGS
from tfseg.data.prepare.walk import walk
from tfseg.errors import TfsegError
from tfseg.files import read_json, read_text

# What Pillow reads without loss, besides what the pipelines decode.
CONVERTED_ENDINGS = (".tif", ".tiff", ".webp", ".bmp", ".gif", ".jfif", ".npy")
PICTURE_ENDINGS = (*IMAGE_ENDINGS, *CONVERTED_ENDINGS)
MASK_ENDINGS = (*PICTURE_ENDINGS, ".mat")

_SPLIT = re.compile(r"(train|training|val|valid|validation|test|testing)[-_]?\d*", re.IGNORECASE)


class Tree:
    """The files of a source.

    Args:
        source: a folder, or a file in one that stands for it, such as a JSON file.

    Attributes:
        root: the folder: where nothing but one other lies in it, that one.
        only: the file, relative to it, where one was named; otherwise None.
        files: the names of all files, relative to it, sorted; hidden ones are left out.

    Raises:
        TfsegError: there is no such folder or file, or it has no files.
    """

    def __init__(self, source):
        source, self.only = os.path.abspath(source), None
        if os.path.isfile(source):
            source, self.only = os.path.split(source)
            if not self.only.lower().endswith((".json", ".yaml", ".yml")):
                raise TfsegError(
                    f"{os.path.join(source, self.only)} is a file: a folder is needed, or a file "
                    ".json or .yaml in one; an archive has to be unpacked"
                )
        if not os.path.isdir(source):
            raise TfsegError(f"there is no source folder {source}")
        self.files = sorted(walk(source, ""))
        if self.only and not any(name.lower().endswith(PICTURE_ENDINGS) for name in self.files):
            # annotations/instances.json beside images/.
            source, folder = os.path.split(source)
            self.only = f"{folder}/{self.only}"
            self.files = sorted(walk(source, ""))
        while self.only is None and (folder := _single(self.files, source)):
            source = os.path.join(source, folder)
            self.files = [name.removeprefix(f"{folder}/") for name in self.files]
        self.root = source
        if not self.files:
            raise TfsegError(f"{source} has no files")

    def path(self, name):
        """The path of one of the files."""
        return os.path.join(self.root, name)

    def ending(self, *endings):
        """The names that end so, in any case."""
        return [name for name in self.files if name.lower().endswith(endings)]

    def matching(self, *patterns):
        """The names that match one of the shell's patterns, in any case; * also takes slashes."""
        patterns = [pattern.lower() for pattern in patterns]
        return [
            name
            for name in self.files
            if any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in patterns)
        ]

    @functools.cached_property
    def pictures(self):
        """The names of images and of what may be their masks, as far as Pillow reads them."""
        return self.ending(*PICTURE_ENDINGS)

    @functools.cached_property
    def _by_base(self):
        found = {}
        for name in self.pictures:
            found.setdefault(name.rpartition("/")[2], []).append(name)
        return found

    def find_image(self, listed, beside="", near=()):
        """The name of a picture that a file calls `listed`; None where there is none.

        Args:
            listed: a path of any machine, with either slash.
            beside: the folder of the file that names it.
            near: folders that are looked at first where several pictures have its name.
        """
        listed = listed.replace("\\", "/")
        for folder in (beside, ""):
            name = os.path.normpath(os.path.join(folder, listed)).replace(os.sep, "/")
            if name in self._known:
                return name
        found = self._by_base.get(listed.rpartition("/")[2], [])
        chosen = [name for name in found if any(part in near for part in name.split("/"))]
        # Of pictures in other folders, that with the most in common is meant.
        shared = [name for name in chosen or found if name.endswith(listed.lstrip("./"))]
        return (
            next(iter(shared or chosen or found), None)
            if len(found) == 1 or shared
            else (chosen[0] if len(chosen) == 1 else None)
        )

    @functools.cached_property
    def _known(self):
        return set(self.files)

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a tree lives as long as one call of prepare)
    def json(self, name):
        """The value of a JSON file; see `read_json`."""
        return read_json(self.path(name))

    def text(self, name):
        """The text of a file; see `read_text`."""
        return read_text(self.path(name))


def _single(files, source):
    """The one folder that everything lies in, unless it is called after a split or its kind."""
    tops = {name.partition("/")[0] for name in files}
    top = next(iter(tops)) if len(tops) == 1 else ""
    deep = any(name.count("/") > 1 for name in files)
    return top if deep and os.path.isdir(os.path.join(source, top)) and not split_of(top) else None


def split_of(word):
    """The split that a folder or file is called after: "Train", "val2017", …; otherwise None."""
    match = _SPLIT.fullmatch(word)
    if not match:
        return None
    return next(split for split in ("train", "val", "test") if match[1].lower().startswith(split))


def split_in(name):
    """The split that the words of a file's name, or its folders, say; otherwise None."""
    words = re.split(r"[/_.\-\s]+", os.path.splitext(name)[0])
    return next((split for word in reversed(words) if (split := split_of(word))), None)
