"""Coarser levels of classes: Cityscapes' categories, COCO-Stuff's, and those of a file."""

from collections.abc import Mapping, Sequence

from tfseg.errors import TfsegError
from tfseg.files import read_json

# Cordts et al., 2016, table 1 of the supplement.
_CITYSCAPES = {
    "flat": "road, sidewalk",
    "construction": "building, wall, fence",
    "object": "pole, traffic light, traffic sign",
    "nature": "vegetation, terrain",
    "sky": "sky",
    "human": "person, rider",
    "vehicle": "car, truck, bus, train, motorcycle, bicycle",
}
# Caesar et al., 2018, figure 3; of things those of COCO (Lin et al., 2014).
_COCO_STUFF = {
    "person": "person",
    "vehicle": "bicycle, car, motorcycle, airplane, bus, train, truck, boat",
    "outdoor": "traffic light, fire hydrant, street sign, stop sign, parking meter, bench",
    "animal": "bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe",
    "accessory": "hat, backpack, umbrella, shoe, eye glasses, handbag, tie, suitcase",
    "sports": "frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, "
    "skateboard, surfboard, tennis racket",
    "kitchen": "bottle, plate, wine glass, cup, fork, knife, spoon, bowl",
    "food": "banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake",
    "furniture": "chair, couch, potted plant, bed, mirror, dining table, window, desk, toilet, "
    "door",
    "electronic": "tv, laptop, mouse, remote, keyboard, cell phone",
    "appliance": "microwave, oven, toaster, sink, refrigerator, blender",
    "indoor": "book, clock, vase, scissors, teddy bear, hair drier, toothbrush, hair brush",
    "textile": "banner, blanket, cloth, clothes, curtain, mat, napkin, pillow, rug, textile-other, "
    "towel",
    "plant": "branch, bush, flower, grass, leaves, moss, plant-other, straw, tree",
    "building": "bridge, building-other, house, roof, skyscraper, tent",
    "furniture-stuff": "cabinet, counter, cupboard, desk-stuff, door-stuff, furniture-other, "
    "light, mirror-stuff, shelf, stairs, table",
    "structural": "cage, fence, net, railing, structural-other",
    "raw-material": "cardboard, metal, paper, plastic",
    "floor": "carpet, floor-marble, floor-other, floor-stone, floor-tile, floor-wood",
    "wall": "wall-brick, wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood",
    "ceiling": "ceiling-other, ceiling-tile",
    "sky": "clouds, sky-other",
    "solid": "hill, mountain, rock, solid-other, stone, wood",
    "ground": "dirt, gravel, ground-other, mud, pavement, platform, playingfield, railroad, road, "
    "sand, snow",
    "water": "fog, river, sea, water-other, waterdrops",
    "food-stuff": "food-other, fruit, salad, vegetable",
    "window": "window-blind, window-other",
}
_KNOWN = [
    {category: names.split(", ") for category, names in table.items()}
    for table in (_CITYSCAPES, _COCO_STUFF)
]


def known_categories(classes: Sequence[str] | None) -> dict[str, list[str]] | None:
    """The categories of a data set with these class names, or None."""
    for table in _KNOWN:
        if classes and set(classes) == {name for names in table.values() for name in names}:
            return table
    return None


def read_categories(path: str) -> dict[str, list[str]]:
    """The categories of a JSON file, {category: [class names]}.

    Raises:
        TfsegError: it is something else.
    """
    table = read_json(path)
    if not isinstance(table, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in table.values()
    ):
        raise TfsegError(f"{path} must be an object of lists of class names")
    return table


def category_indices(table: Mapping[str, Sequence[str]], classes: Sequence[str]) -> tuple[int, ...]:
    """The category of each class, as its place in `table`.

    Raises:
        TfsegError: a class is in none or in two, or the table has a class that isn't one.
    """
    found: dict[str, int] = {}
    for index, (category, names) in enumerate(table.items()):
        for name in names:
            if name not in classes:
                raise TfsegError(f"the category {category} has the class {name}, which isn't one")
            if found.setdefault(name, index) != index:
                raise TfsegError(f"the class {name} is in two categories")
    for name in classes:
        if name not in found:
            raise TfsegError(f"the class {name} is in no category")
    return tuple(found[name] for name in classes)
