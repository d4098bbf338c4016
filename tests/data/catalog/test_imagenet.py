"""The class names of ImageNet classifiers."""

import hashlib

from tfseg.data import imagenet_classes


def test_classes_are_in_the_order_of_the_outputs():
    synsets, names = list(imagenet_classes()), list(imagenet_classes().values())
    assert synsets == sorted(synsets) and len({name.lower() for name in names}) == 1000
    # The list of numbers as the data set's release has it.
    digest = hashlib.sha256("\n".join(synsets).encode()).hexdigest()
    assert digest.startswith("385e0240499426c0")
    some = {0: "tench", 281: "tabby", 555: "fire engine", 967: "espresso", 999: "toilet tissue"}
    assert {index: names[index] for index in some} == some
