"""The data sets that `tools/prepare_data.py` knows, as a table: a new one is a row.

A row states facts only: what the classes are called, how they are coloured in the original's
figures, what its label values mean, and how its files are laid out. `prepare` acts on them.
"""

import csv
import dataclasses
import os
import pathlib

from tfseg.data.lists import ImageList, read_split
from tfseg.errors import TfsegError


@dataclasses.dataclass(frozen=True)
class PairLists:
    """A layout whose splits are lists {split}.txt of ``image label`` lines.

    Attributes:
        splits: the splits there may be; "train" must be.
        prefix: the folder of the authors' machine that the listed paths start with; it stands
            for the source folder.
    """

    splits: tuple
    prefix: str = ""

    def read(self, source):
        """{split: `ImageList`} of the folder `source`."""
        return {
            split: read_split(source, split, prefix=self.prefix)
            for split in self.splits
            if split == "train" or os.path.isfile(os.path.join(source, f"{split}.txt"))
        }


@dataclasses.dataclass(frozen=True)
class PairedFolders:
    """A layout of images/FOLDER/NAME.jpg with label maps annotations/FOLDER/NAME.png.

    Attributes:
        splits: {split: FOLDER}; "train" must be there.
    """

    splits: dict

    def read(self, source):
        """{split: `ImageList`} of the folder `source`."""
        found = {}
        for split, folder in self.splits.items():
            path = os.path.join(source, "images", folder)
            if split != "train" and not os.path.isdir(path):
                continue
            files = sorted(os.listdir(path)) if os.path.isdir(path) else []
            names = [f"{folder}/{name}" for name in files if name.endswith(".jpg")]
            if not names:
                raise TfsegError(f"{path} has no images (*.jpg)")
            labels = [f"{os.path.splitext(name)[0]}.png" for name in names]
            found[split] = ImageList(
                root=source,
                images=[os.path.join(source, "images", name) for name in names],
                labels=[os.path.join(source, "annotations", name) for name in labels],
                names=names,
            )
        return found


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One known data set.

    Attributes:
        title: its name in print.
        classes: class names in index order.
        palette: one [r, g, b] (0..255) per class.
        layout: how the original's files are found: has `read`.
        label_map: {value in the original's label maps: value to store}; other values are kept.
        ignore_label: the stored value that neither loss nor metric counts.
    """

    title: str
    classes: tuple
    palette: tuple
    layout: PairLists | PairedFolders
    label_map: dict = dataclasses.field(default_factory=dict)
    ignore_label: int = 255


def _classes(name):
    """{"classes": names, "palette": colours} from the table NAME.csv beside this file."""
    lines = pathlib.Path(__file__).with_name(f"{name}.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    palette = tuple(tuple(int(row[key]) for key in ("red", "green", "blue")) for row in rows)
    return {"classes": tuple(row["name"] for row in rows), "palette": palette}


DATASETS = {
    # Brostow et al. 2009, in the 11 classes, the 480x360 frames and the colours of SegNet's
    # tutorial data (Badrinarayanan, Kendall and Cipolla 2015).
    "camvid": Dataset(
        title="CamVid (SegNet's 11 classes)",
        classes=(
            *("Sky", "Building", "Pole", "Road", "Pavement", "Tree"),
            *("SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist"),
        ),
        palette=(
            *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222)),
            *((128, 128, 0), (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0)),
            (0, 128, 192),
        ),
        layout=PairLists(splits=("train", "val", "test"), prefix="/SegNet/CamVid/"),
        label_map={11: 255},
    ),
    # Zhou et al. 2017, the scene parsing benchmark (ADEChallengeData2016): 0 is unlabelled.
    "ade20k": Dataset(
        title="ADE20K (scene parsing, 150 classes)",
        **_classes("ade20k"),
        layout=PairedFolders({"train": "training", "val": "validation"}),
        label_map={0: 255, **{value: value - 1 for value in range(1, 151)}},
    ),
}
