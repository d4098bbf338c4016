"""The table of known data sets: where a release's files lie, what its labels mean, its size."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

from tfseg.data.catalog.classes import Dataset, read_classes
from tfseg.tables import Row, Table

_LAYOUTS = "tfseg.data.prepare.sources"
_VOC_LIST = "ImageSets/Segmentation/train.txt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetRow(Row):
    """A data set.

    Attributes:
        code: finds the release's files: a function of the source folders, and of `layout` as
            keyword arguments, to {split: `ImageList`} of the splits that are there.
        help: its name in print.
        layout: of the default `code`, {split: (pattern of the images, that of their label maps or
            None)}, relative to the source; what a * matches in an image's path stands for the
            same * in its label map's.
        labels: the CSV file of its classes, colours and label values, with their source: a name
            in this folder, or a path.
        shift: added to the values of that file.
        sources: how many source folders it may have.
        images: how many images each split has, as published.
        recipes: the folder of its recipes.
        signs: patterns of names by which the release is told from other people's data: a file for
            each has to be there. A * also takes slashes.
    """

    code: Any = f"{_LAYOUTS}:matching"
    layout: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: str
    shift: int = 0
    sources: int = 1
    images: Mapping[str, int] = dataclasses.field(default_factory=dict)
    recipes: str | None = None
    signs: tuple[str, ...] = ()

    @functools.cached_property
    def facts(self) -> Dataset:
        """What its label maps mean.

        Raises:
            TfsegError: the CSV file can't be read, or is no such table.
        """
        path = pathlib.Path(__file__).parent / self.labels
        return Dataset(self.help, **read_classes(path, shift=self.shift))


DATASETS = Table(
    "data set",
    [
        DatasetRow(
            name="camvid",
            code=f"{_LAYOUTS}:camvid",
            help="CamVid (SegNet's 11 classes)",
            signs=("train.txt", "train/0*.png", "trainannot/0*.png"),
            labels="camvid.csv",
            images={"train": 367, "val": 101, "test": 233},
            recipes="camvid",
        ),
        DatasetRow(
            name="camvid32",
            code=f"{_LAYOUTS}:camvid32",
            help="CamVid (32 colours)",
            signs=("701_StillsRaw_full/*.png", "LabeledApproved_full/*_L.png"),
            labels="camvid32.csv",
        ),
        DatasetRow(
            name="cityscapes",
            help="Cityscapes (19 classes)",
            signs=("leftImg8bit/*_leftImg8bit.png", "gtFine/*_gtFine_labelIds.png"),
            # The test images have no annotations: what gtFine holds for them is a placeholder.
            layout={
                "train": (
                    "leftImg8bit/train/*/*_leftImg8bit.png",
                    "gtFine/train/*/*_gtFine_labelIds.png",
                ),
                "val": (
                    "leftImg8bit/val/*/*_leftImg8bit.png",
                    "gtFine/val/*/*_gtFine_labelIds.png",
                ),
                "test": ("leftImg8bit/test/*/*_leftImg8bit.png", None),
                "coarse": (
                    "leftImg8bit/train_extra/*/*_leftImg8bit.png",
                    "gtCoarse/train_extra/*/*_gtCoarse_labelIds.png",
                ),
            },
            labels="cityscapes.csv",
            images={"train": 2975, "val": 500, "test": 1525, "coarse": 19998},
            recipes="cityscapes",
        ),
        DatasetRow(
            name="voc12",
            code=f"{_LAYOUTS}:voc12",
            help="PASCAL VOC 2012",
            signs=("JPEGImages/20??_??????.jpg", "SegmentationClass/20??_??????.png", _VOC_LIST),
            labels="voc12.csv",
            images={"train": 1464, "val": 1449, "test": 1456},
        ),
        DatasetRow(
            name="voc12aug",
            code=f"{_LAYOUTS}:voc12aug",
            help="PASCAL VOC 2012, augmented",
            labels="voc12.csv",
            sources=2,
            images={"train": 10582, "val": 1449, "test": 1456},
            recipes="voc12",
        ),
        DatasetRow(
            name="cocostuff10k",
            code=f"{_LAYOUTS}:cocostuff10k",
            help="COCO-Stuff 10k",
            signs=("imageLists/train.txt", "annotations/COCO_train2014_*"),
            labels="cocostuff.csv",
            images={"train": 9000, "val": 1000},
            recipes="cocostuff10k",
        ),
        DatasetRow(
            name="cocostuff164k",
            code=f"{_LAYOUTS}:cocostuff164k",
            help="COCO-Stuff 164k",
            signs=("images/*2017/000*.jpg", "annotations/*2017/000*.png"),
            labels="cocostuff.csv",
            shift=-1,
            images={"train": 118287, "val": 5000},
            recipes="cocostuff164k",
        ),
        DatasetRow(
            name="ade20k",
            code=f"{_LAYOUTS}:ade20k",
            help="ADE20K (scene parsing, 150 classes)",
            signs=("images/*/ADE_*_0*.jpg", "annotations/*/ADE_*_0*.png"),
            labels="ade20k.csv",
            images={"train": 20210, "val": 2000},
            recipes="ade20k",
        ),
        DatasetRow(
            name="loveda",
            help="LoveDA (land cover, 7 classes)",
            signs=("*/images_png/*.png", "*/masks_png/*.png"),
            layout={
                "train": ("Train/*/images_png/*.png", "Train/*/masks_png/*.png"),
                "val": ("Val/*/images_png/*.png", "Val/*/masks_png/*.png"),
                "test": ("Test/*/images_png/*.png", None),
            },
            labels="loveda.csv",
            images={"train": 2522, "val": 1669, "test": 1796},
        ),
    ],
)
