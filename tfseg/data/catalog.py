"""The data sets that `tools/prepare_data.py` knows, as a table: a new one is a row.

A row states facts only: what the classes are called, how they are coloured in the original's
figures, what its label values mean, and how its files are laid out. `prepare` acts on them.
"""

import dataclasses


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


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One known data set.

    Attributes:
        title: its name in print.
        classes: class names in index order.
        palette: one [r, g, b] (0..255) per class.
        layout: how the original's files are found.
        label_map: {value in the original's label maps: value to store}; other values are kept.
        ignore_label: the stored value that neither loss nor metric counts.
    """

    title: str
    classes: tuple
    palette: tuple
    layout: PairLists
    label_map: dict = dataclasses.field(default_factory=dict)
    ignore_label: int = 255


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
}
