"""How the files of releases are laid out, for the rows of `tfseg.data.catalog.DATASETS`.

A function gets the source folders and returns {split: `ImageList`} of the splits that are there,
with the labels None where the release has none. Names are what the stored files are called after.
"""

import glob
import os
import re

from tfseg.data.entries import read_lines
from tfseg.data.lists import ImageList, is_list, read_split
from tfseg.data.prepare.walk import require_text
from tfseg.errors import TfsegError


def matching(source, **splits):
    """Files whose paths match patterns; see `DatasetRow.layout`.

    Raises:
        TfsegError: nothing matches.
    """
    found = {}
    for split, (image, label) in splits.items():
        parts = re.compile("([^/]*)".join(map(re.escape, image.split("*"))))
        images = [
            require_text(path.replace(os.sep, "/"), source)
            for path in sorted(glob.glob(image, root_dir=source))
        ]
        if not images:
            continue
        fill = label and label.replace("*", "{}").format
        found[split] = ImageList(
            root=source,
            images=[os.path.join(source, name) for name in images],
            labels=fill
            and [os.path.join(source, fill(*parts.fullmatch(x).groups())) for x in images],
            names=[name.split("/", 1)[1] for name in images],
        )
    return _some(found, source, " or ".join(image for image, _ in splits.values()))


def _some(found, source, needed):
    """`found`, if there is a split in it."""
    if not found:
        raise TfsegError(f"{source} is not laid out like this data set: it has no {needed}")
    return found


def camvid(source):
    """SegNet's tutorial data: lists of pairs that name a folder of their authors' machine."""
    splits = [name for name in ("train", "val", "test") if is_list(source, name)] or ["train"]
    return {name: read_split(source, name, prefix="/SegNet/CamVid/") for name in splits}


def camvid32(source):
    """The 701 pairs of CamVid: 701_StillsRaw_full/NAME.png, LabeledApproved_full/NAME_L.png.

    The release has no splits: with lists {split}.txt of names beside the folders those, otherwise
    all images are "train".
    """
    images = os.path.join(source, "701_StillsRaw_full")
    names = _stems(images, ".png")
    splits = {
        split: _names(os.path.join(source, f"{split}.txt"))
        for split in ("train", "val", "test")
        if os.path.isfile(os.path.join(source, f"{split}.txt"))
    }
    return {
        split: _pairs(source, chosen, "701_StillsRaw_full/{}.png", "LabeledApproved_full/{}_L.png")
        for split, chosen in (splits or {"train": names}).items()
    }


def voc12(source):
    """VOCdevkit/VOC2012: JPEGImages, SegmentationClass and ImageSets/Segmentation."""
    found = {}
    for split in ("train", "val", "test"):
        path = os.path.join(source, "ImageSets", "Segmentation", f"{split}.txt")
        if os.path.isfile(path):
            label = "SegmentationClass/{}.png" if split != "test" else None
            found[split] = _pairs(source, _names(path), "JPEGImages/{}.jpg", label)
    return _some(found, source, "ImageSets/Segmentation/train.txt, val.txt or test.txt")


def voc12aug(source, sbd=None):
    """VOC 2012 trained on its augmentation (Hariharan et al., ICCV 2011): 10582 images.

    The training images are all that have annotations there or in VOC's training set, less VOC's
    validation set. The augmentation is SegmentationClassAug in VOC's folder, or SBD's own release
    (benchmark_RELEASE) as the second source: dataset/cls/NAME.mat.
    """
    found = voc12(source)
    for split in ("train", "val"):
        if split not in found:
            raise TfsegError(f"{source} has no ImageSets/Segmentation/{split}.txt")
    train = {_stem(name): label for name, label in _named_labels(found["train"])}
    if sbd is None:
        folder, ending = os.path.join(source, "SegmentationClassAug"), ".png"
    else:
        base = os.path.join(sbd, "dataset")
        folder = os.path.join(base if os.path.isdir(base) else sbd, "cls")
        ending = ".mat"
    if not os.path.isdir(folder):
        raise TfsegError(
            f"there is no folder {folder}: voc12aug needs SegmentationClassAug in `source`, or "
            "SBD's benchmark_RELEASE as a second `source`"
        )
    for stem in _stems(folder, ending):
        path = os.path.join(folder, stem + ending)
        # VOC's own annotations are finer than SBD's.
        train[stem] = path if sbd is None else train.get(stem, path)
    validation = {_stem(name) for name in found["val"].names}
    stems = sorted(set(train) - validation)
    images = _pairs(source, stems, "JPEGImages/{}.jpg", None)
    found["train"] = ImageList(source, images.images, [train[stem] for stem in stems], images.names)
    return found


def cocostuff10k(source):
    """images/NAME.jpg, annotations/NAME.mat or .png, and imageLists/train.txt and test.txt.

    The test list is what is validated on.
    """
    found = {}
    for split, file in (("train", "train.txt"), ("val", "test.txt")):
        path = os.path.join(source, "imageLists", file)
        if not os.path.isfile(path):
            continue
        stems = _names(path)
        first = os.path.join(source, "annotations", f"{stems[0]}.mat")
        ending = ".mat" if os.path.isfile(first) else ".png"
        found[split] = _pairs(source, stems, "images/{}.jpg", "annotations/{}" + ending)
    return _some(found, source, "imageLists/train.txt or test.txt")


def cocostuff164k(source):
    """images/train2017 and val2017, annotations (or stuffthingmaps) likewise."""
    maps = "annotations" if os.path.isdir(os.path.join(source, "annotations")) else "stuffthingmaps"
    return matching(
        source,
        train=("images/train2017/*.jpg", f"{maps}/train2017/*.png"),
        val=("images/val2017/*.jpg", f"{maps}/val2017/*.png"),
    )


def ade20k(source):
    """images/training and validation with annotations likewise, or ADE20K's .odgt lists.

    Lists may lie in the folder or beside it, with paths from the folder that holds it.
    """
    found = {}
    for root in (source, os.path.dirname(os.path.abspath(source))):
        for split in ("train", "val"):
            if split not in found and is_list(root, split, ".odgt"):
                found[split] = read_split(root, split)
    return found or matching(
        source,
        train=("images/training/*.jpg", "annotations/training/*.png"),
        val=("images/validation/*.jpg", "annotations/validation/*.png"),
    )


def _stems(folder, ending):
    """The sorted names of a folder's files that end so, without the ending's extension."""
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    names = [require_text(name, folder) for name in files if name.endswith(ending)]
    if not names:
        raise TfsegError(f"{folder} has no files *{ending}")
    return [os.path.splitext(name)[0] for name in names]


def _stem(name):
    return os.path.splitext(os.path.basename(name))[0]


def _names(path):
    """The first word of each line of a list, without folders and extension."""
    return [_stem(line.split()[0]) for _, line in read_lines(path)]


def _named_labels(image_list):
    return zip(image_list.names, image_list.labels, strict=True)


def _pairs(source, stems, image, label):
    """An `ImageList` of files whose paths are the patterns `image` and `label` with {} filled."""
    images = [image.format(stem) for stem in stems]
    return ImageList(
        root=source,
        images=[os.path.join(source, name) for name in images],
        labels=label and [os.path.join(source, label.format(stem)) for stem in stems],
        names=[name.split("/", 1)[1] for name in images],
    )
