"""What is known of data and machine before anything is proposed for them."""

import os

import numpy as np

from tfseg import machine, zoo
from tfseg.data import DataInfo, check_dataset
from tfseg.data.image_files import read_label
from tfseg.data.labels import label_table
from tfseg.data.lists import is_labelled, is_list, read_split
from tfseg.errors import TfsegError
from tfseg.evaluation.regions import components
from tfseg.parallel import count_cores
from tfseg.weights import find_spec, readers
from tfseg.weights.causes import encoders_in
from tfseg.weights.sources import shape_of, variants
from tfseg.workflows.proposal import DataFacts, MachineFacts

# Label maps that are looked at, and the most pixels of their sides.
_SAMPLE, _SIDE = 60, 512
# Regions below so many pixels are slips of the pen.
_SPECK = 4


def data_facts(data_dir: str) -> DataFacts:
    """The facts of a data folder: sizes of all images, and a sample of the label maps.

    Raises:
        TfsegError: a file is missing, doesn't fit, or has an impossible label.
    """
    info = DataInfo.load(data_dir)
    found = [name for name in ("train", "val") if is_list(data_dir, name)]
    splits = [name for name in found if is_labelled(data_dir, name)]
    report = check_dataset(data_dir, None, splits, quick=True)
    if report.errors:
        raise TfsegError(report.errors[0], ("check", {"data_dir": data_dir}))
    sizes = np.array([size for one in report.splits.values() for size in one.sizes.elements()])
    width, height = np.median(sizes, axis=0).astype(int).tolist()
    train = read_split(data_dir, "train").spread(_SAMPLE)
    table = label_table(len(info.classes), info.label_map, info.ignore_label)
    shares, smallest = _classes(train, table, len(info.classes), info.ignore_label)
    counts = {name: split.pairs for name, split in report.splits.items()}
    return DataFacts(
        images=counts["train"],
        val_images=counts.get("val", 0),
        height=height,
        width=width,
        shares=shares,
        smallest_object=smallest,
        weights=tuple(info.class_weights or ()),
        channels=info.channels,
        value_bytes=1 if info.bands.in_levels else 4,
    )


def _classes(image_list, table, num_classes, ignore_label):
    """Each class's share of the labelled pixels, and the smallest class's regions' side."""
    pixels = np.zeros(num_classes)
    sides: list[list[float]] = [[] for _ in range(num_classes)]
    for index in range(len(image_list)):
        labels = table[read_label(image_list.labels[index])]
        step = max(1, -(-max(labels.shape) // _SIDE))
        labels = labels[::step, ::step]
        regions = components(labels)
        _, first, sizes = np.unique(regions, return_index=True, return_counts=True)
        values = labels.ravel()[first]
        for value in np.unique(values[(values >= 0) & (values != ignore_label)]):
            mine = sizes[values == value]
            pixels[value] += mine.sum() * step**2
            sides[value] += (step * np.sqrt(mine[mine >= _SPECK])).tolist()
    smallest = min((float(np.median(one)) for one in sides if one), default=0.0)
    return tuple((pixels / max(pixels.sum(), 1)).tolist()), smallest


def machine_facts() -> MachineFacts:
    """The facts of this machine, as far as this process may use it."""
    gpus, free = machine.count_gpus(), machine.free_memory()
    return MachineFacts(
        cores=count_cores(),
        gpus=gpus,
        memory=machine.free_gpu_memory() if gpus else free,
        host_memory=free,
        bfloat16=machine.has_bfloat16(),
    )


def fitting_models(source: str) -> tuple[str, ...]:
    """Names of the encoders that weights to start from fit, or of the model that they say.

    Empty where that can't be told, or there are no weights: loading them says more.
    """
    try:
        if source in zoo.RELEASES and not os.path.exists(source):
            return (zoo.RELEASES[source].model,)
        path = os.path.expanduser(source)
        if spec := find_spec(path):
            return (spec.name,)
        for names in variants(readers.read(path)):
            if found := encoders_in({name: shape_of(names, name) for name in names}):
                return tuple(found)
    except (TfsegError, OSError):
        pass
    return ()
