"""Two folders whose files match by name: the simplest layout of images and label maps."""

import os

from tfseg.data.entries import FOLDERS, IMAGE_ENDINGS, LABEL_ENDINGS
from tfseg.data.lists import ImageList
from tfseg.errors import TfsegError

# What folders that hold a split are called, in any case.
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def folder_pair(source, images=None, labels=None, val_share=0.0):
    """Two folders whose files match by name: images/a/b.jpg and labels/a/b.png.

    Subfolders count as part of the name, but for those called after splits: images/val/b.jpg and
    val/images/b.jpg both belong to "val". Without such folders all is "train", and the files of
    `val_share`, evenly spread over the sorted names, become "val". Test images may have no labels.

    Args:
        source: the folder that holds both.
        images, labels: their names; default the first pair of `entries.FOLDERS` that is there.
        val_share: 0..1.

    Returns:
        {split: `ImageList`}.

    Raises:
        TfsegError: a folder is missing or empty, an image has no label map or two, two images
            have one name, or images lie beside the folders of splits.
    """
    if images is None and labels is None:
        there = [pair for pair in FOLDERS if all(_roots(source, folder) for folder in pair)]
        images, labels = there[0] if there else FOLDERS[0]
    images, labels = images or FOLDERS[0][0], labels or FOLDERS[0][1]
    image_files = _find(source, images, "image", IMAGE_ENDINGS)
    label_files = _find(source, labels, "label map", LABEL_ENDINGS)
    groups = {}
    for split, stem in sorted(image_files, key=lambda key: (key[0] or "", key[1])):
        groups.setdefault(split, []).append((split, stem))
    if None in groups and len(groups) > 1:
        first = image_files[groups[None][0]][0]
        raise TfsegError(
            f"{first} lies in none of the folders of splits beside it: move it into one"
        )
    unlabelled = not any(key in label_files for key in groups.get("test", ()))
    needed = [key for key in image_files if not (key[0] == "test" and unlabelled)]
    missing = sorted((key for key in needed if key not in label_files), key=lambda key: key[1])
    if missing or not image_files:
        example = f": {len(missing)} images have none, such as {missing[0][1]}" if missing else ""
        raise TfsegError(
            f"{os.path.join(source, labels)} must have a label map .png for every image{example}"
        )
    if val_share and "val" in groups:
        raise TfsegError(f"val_share has no meaning: {source} has a folder of validation images")
    groups = _shared(groups, val_share)
    return {
        split: ImageList(
            source,
            [image_files[key][0] for key in keys],
            [label_files[key][0] for key in keys] if split != "test" or not unlabelled else None,
            [image_files[key][1] for key in keys],
        )
        for split, keys in groups.items()
    }


def _shared(groups, val_share):
    """The groups with `val_share` of the training images, evenly spread, as "val"."""
    keys = groups.pop(None, None) or groups.pop("train", [])
    count = round(val_share * len(keys))
    chosen = {(2 * k + 1) * len(keys) // (2 * count) for k in range(count)}
    parts = {"train": [], "val": []}
    for number, key in enumerate(keys):
        parts["val" if number in chosen else "train"].append(key)
    return {split: part for split, part in {**parts, **groups}.items() if part}


def _roots(source, folder):
    """[(split or None, path)] of the folder itself and of those within folders of splits."""
    tops = sorted(os.listdir(source)) if os.path.isdir(source) else []
    own = SPLITS.get(os.path.basename(folder.rstrip("/")).lower())
    roots = [
        (own, folder),
        *((SPLITS[top.lower()], f"{top}/{folder}") for top in tops if top.lower() in SPLITS),
    ]
    return [(split, path) for split, path in roots if os.path.isdir(os.path.join(source, path))]


def _find(source, folder, kind, endings):
    """{(split or None, stem within it): (path, name)} of a kind of file."""
    roots = _roots(source, folder)
    if not roots:
        root = os.path.join(source, folder)
        raise TfsegError(f"there is no folder {root}: it should hold the {kind}s")
    found = {}
    for split, root in roots:
        for name in walk(os.path.join(source, root), endings):
            first, _, rest = name.partition("/")
            below = SPLITS.get(first.lower()) if rest and split is None else None
            key = (split or below, os.path.splitext(rest if below else name)[0])
            # Splits in other folders than their names' first keep their files apart, too.
            shown = f"{split}/{name}" if split else name
            if key in found:
                raise TfsegError(
                    f"{source} has two {kind}s of one name: {found[key][0]} and "
                    f"{os.path.join(source, root, name)}"
                )
            found[key] = (os.path.join(source, root, name), shown)
    return found


def walk(root, endings):
    """The names of all files below `root` that end so, relative to it."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(endings) and not name.startswith("."):
                path = os.path.relpath(os.path.join(folder, name), root)
                yield require_text(path.replace(os.sep, "/"), root)


def require_text(name, folder):
    """`name`, if it can stand in a UTF-8 list.

    Raises:
        TfsegError: the file's name isn't UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name)
        raise TfsegError(f"{folder} has a file whose name is not UTF-8: {shown}") from error
    return name
