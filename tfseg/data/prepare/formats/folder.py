"""Images and masks that match by name, in any of the usual arrangements of folders."""

import collections
import os

import numpy as np

from tfseg.data.entries import LABEL_ENDINGS
from tfseg.data.prepare.formats import affixes, class_files
from tfseg.data.prepare.formats.found import Found, Item, named_by
from tfseg.data.prepare.formats.tree import MASK_ENDINGS, PICTURE_ENDINGS, split_of
from tfseg.data.prepare.formats.values import read_values
from tfseg.errors import TfsegError
from tfseg.words import counted

# What folders of images, of masks and of what is neither are called, in any case. Where several
# folders of masks fit as well, the first counts.
_IMAGES = "images image imgs img img_dir jpegimages pngimages photos photo pictures input inputs "
_IMAGES += "rgb frames images_png leftimg8bit original originals x"
_MASKS = "labels label masks mask ann_dir annotations annotation annots segmentationclassaug "
_MASKS += (
    "segmentationclasspng segmentationclass gt gtfine groundtruth ground_truth targets target "
)
_MASKS += "masks_png segmentation segmentations labelmaps label_maps segmentationclassnpy y"
_NEITHER = "segmentationobject segmentationobjectpng segmentationclassvisualization visualization "
_NEITHER += "visualizations vis overlay overlays preview previews"
_ROLES = {
    **dict.fromkeys(_IMAGES.split(), "image"),
    **dict.fromkeys(_MASKS.split(), "mask"),
    **dict.fromkeys(_NEITHER.split(), "neither"),
}
_ORDER = _MASKS.split()


class _File:
    """A file, sorted by its folders.

    Attributes:
        name: its path within the source.
        role: "image", "mask", "neither", or None where no folder says it.
        word: the folder that says it.
        split: that of its folders, or None.
        key: (split, other folders).
        stem: what it is called.
    """

    def __init__(self, name, images=None, labels=None):
        folders, _, base = name.rpartition("/")
        self.name, self.role, self.word, self.split = name, None, "", None
        self.stem = os.path.splitext(base)[0]
        for folder, role in ((images, "image"), (labels, "mask")):
            if folder and f"/{folder.strip('/')}/" in f"/{folders}/":
                self.role, self.word = role, folder.strip("/")
                self.split = next(filter(None, map(split_of, self.word.split("/"))), None)
                folders = f"/{folders}/".replace(f"/{folder.strip('/')}/", "/", 1).strip("/")
        others = []
        for part in filter(None, folders.split("/")):
            role = None if images or labels else _ROLES.get(part.lower())
            if split := split_of(part):
                self.split = split
            elif role:
                self.role, self.word = role, part.lower()
            else:
                others.append(part)
        self.key = self.split, "/".join(others)


def recognise(tree):
    """Pairs of images and masks."""
    files = [_File(name) for name in tree.ending(*MASK_ENDINGS)]
    roles = collections.Counter(file.role for file in files)
    words = sorted({file.word for file in files if file.role in ("image", "mask")})
    if roles["image"] and roles["mask"]:
        return f"folders of images and of masks ({', '.join(words)})"
    return "images and masks whose names match" if tree.pictures else None


def read(tree, options):
    """The pairs of a folder.

    Subfolders count as part of the name, but for those called after splits or kinds of files:
    images/val/b.jpg and val/images/b.jpg are both b of "val".
    """
    files = [_File(name, options.images, options.labels) for name in tree.ending(*MASK_ENDINGS)]
    files = [file for file in files if file.role != "neither"]
    images, masks = _sorted_out(tree, files)
    names = {}
    for image in images:
        other = names.setdefault((image.key, image.stem), image.name)
        if other != image.name:
            raise TfsegError(
                f"{tree.root} has two images of one name: {tree.path(other)} and "
                f"{tree.path(image.name)}"
            )
    found = Found([], options.classes or None)
    pairs, words = _matched(images, masks)
    if not pairs:
        raise TfsegError(
            f"{tree.root} has {counted(len(images), 'image')} and {counted(len(masks), 'mask')}, "
            "but no names that match"
            if masks
            else f"{tree.root} has {counted(len(images), 'image')} and no masks that could belong "
            "to them"
        )
    if words:
        found.notes.append(words)
    used = set(pairs.values())
    for image in images:
        mask = pairs.get(image.name)
        found.items.append(
            Item(tree.path(image.name), _shown(image), mask and tree.path(mask), image.split)
        )
    found.skipped += [
        (tree.path(mask.name), "a mask without an image") for mask in masks if mask.name not in used
    ]
    name_classes(tree, found)
    return found


def _shown(image):
    """What an image's copy is called after: its path without the folder of its kind."""
    if "/" in image.word:
        folders, word = f"/{image.name}", f"/{image.word}/"
        return folders.replace(word, f"/{image.split}/" if image.split else "/", 1).lstrip("/")
    parts = image.name.split("/")
    kept = [part for part in parts[:-1] if part.lower() != image.word.lower()]
    return "/".join([*kept, parts[-1]])


def name_classes(tree, found):
    """Takes names and colours from the files beside the images, where nothing else names them."""
    if found.classes:
        return
    table = class_files.colours(tree)
    if table:
        file, found.classes, found.color_map = table
        left_out = "; what it calls void is ignored" if 255 in found.color_map.values() else ""
        found.notes.append(f"class names and colours are from {file}{left_out}")
        return
    file, names = class_files.names(tree)
    if names:
        found.classes = tuple(names)
        found.notes.append(named_by(file))


def _sorted_out(tree, files):
    """(images, masks) among the files."""
    by_role = collections.defaultdict(list)
    for file in files:
        by_role[file.role].append(file)
    images, masks, rest = by_role["image"], by_role["mask"], by_role[None]
    images = [file for file in images if file.name.lower().endswith(PICTURE_ENDINGS)]
    if images and masks:
        return images, masks
    if masks and not images:
        pictures = [file for file in rest if file.name.lower().endswith(PICTURE_ENDINGS)]
        return (pictures, masks) if pictures else _in_one_folder(masks)
    if images and rest:
        return images, rest
    return _in_one_folder(images) if images else _by_content(tree, rest)


def _by_content(tree, files):
    """Of two folders with names of one's own, the masks are what has few colours."""
    groups = collections.defaultdict(list)
    for file in files:
        groups[file.name.partition("/")[0] if "/" in file.name else ""].append(file)
    if len(groups) == 2:
        few = [key for key, group in groups.items() if _looks_like_masks(tree, group)]
        if len(few) == 1:
            masks = groups.pop(few[0])
            (images,) = groups.values()
            for file in (*images, *masks):
                top = file.name.partition("/")[0]
                file.word = top
                folders = file.key[1].split("/")
                file.key = file.split, "/".join(part for part in folders if part != top)
            return images, masks
    return _in_one_folder(files)


def _looks_like_masks(tree, group):
    for file in group[:: max(1, len(group) // 3)][:3]:
        try:
            values = read_values(tree.path(file.name))
        except TfsegError:
            return False
        flat = values.reshape(-1, 3) if values.ndim == 3 else values.reshape(-1)
        if len(np.unique(flat[:: max(1, len(flat) // 20000)], axis=0)) > 64:
            return False
    return True


def _in_one_folder(files):
    """Images and masks side by side: told apart by their ending, or by an affix."""
    ending = {file.name: os.path.splitext(file.name)[1].lower() for file in files}
    names = collections.defaultdict(set)
    for file in files:
        names[ending[file.name]].add((file.key, file.stem))
    for masks in (*LABEL_ENDINGS, ".mat", ".npy", ".bmp", ".tif", ".gif"):
        others = set().union(*(found for end, found in names.items() if end != masks))
        if names.get(masks) and 2 * len(names[masks] & others) > len(names[masks]):
            parts = {
                flag: [file for file in files if (ending[file.name] == masks) == flag]
                for flag in (False, True)
            }
            return parts[False], parts[True]
    by_key = collections.defaultdict(list)
    for file in files:
        by_key[file.key].append(file)
    images, masks = [], []
    for group in by_key.values():
        _, marked = affixes.split_by_affix([file.stem for file in group])
        for file in group:
            (masks if file.stem in marked else images).append(file)
    return images, masks


def _matched(images, masks):
    """{image's name: mask's name}, and in words what names differ by."""
    found, words = {}, {}
    keyed = [[(file.key, file) for file in files] for files in (images, masks)]
    by_split = [[(file.split, file) for file in files] for files in (images, masks)]
    anywhere = [[(None, file) for file in files] for files in (images, masks)]
    for rows in (keyed, by_split, anywhere):
        found, words = _match_groups(*rows)
        if 2 * len(found) >= min(len(images), len(masks)):
            break
    return found, "; ".join(sorted(filter(None, words)))


def _match_groups(images, masks):
    groups = [collections.defaultdict(dict), collections.defaultdict(dict)]
    for group, rows in zip(groups, (images, masks), strict=True):
        # Of masks that would do as well, the folder that comes first in the table counts.
        for key, file in sorted(rows, key=lambda row: (_rank(row[1]), row[1].name)):
            group[key].setdefault(file.stem, file.name)
    found, words = {}, set()
    for key, stems in groups[0].items():
        pairs, said = affixes.match(stems, groups[1].get(key, {}))
        words.add(said if pairs else "")
        found |= {stems[image]: groups[1][key][mask] for image, mask in pairs.items()}
    return found, words


def _rank(file):
    place = _ORDER.index(file.word) if file.word in _ORDER else len(_ORDER)
    # LabelMe writes arrays beside its pictures.
    return place, file.name.lower().endswith(".npy")
