"""The classes that ImageNet classifiers tell apart."""

import csv
import functools
import pathlib


@functools.cache
def imagenet_classes():
    """The names of ImageNet's 1000 classes, in the order of the released classifiers' outputs.

    Returns:
        {WordNet number, such as "n02123045": name, such as "tabby"}; the names are distinct.
    """
    path = pathlib.Path(__file__).with_name("imagenet.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["synset"]: row["name"] for row in rows}
