"""A scene that is drawn here, and a folder that holds what a format makes of it."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from tfseg.data import read_split
from tfseg.data.prepare.source import carry_out, plan

CLASSES = ("background", "box", "sign")
COLOURS = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 64]], np.uint8)
HEIGHT, WIDTH = 24, 32


@dataclasses.dataclass
class Scene:
    """An image with a box and a sign that lies partly on it; the sign is the smaller, and later.

    Attributes:
        image: uint8 [H, W, 3].
        labels: uint8 [H, W], indices of `CLASSES`.
        shapes: (class, polygon of the corners' pixels' edges [[x, y], …]) of the objects.
    """

    image: np.ndarray
    labels: np.ndarray
    shapes: list


def draw(seed):
    """A `Scene`."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    left, top = rng.integers(2, 6, 2).tolist()
    shapes = []
    for index, (x, y, w, h) in enumerate(((left, top, 16, 10), (left + 12, top + 6, 8, 8)), 1):
        labels[y : y + h, x : x + w] = index
        shapes.append((index, [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]))
    noise = rng.integers(0, 30, (HEIGHT, WIDTH, 3), np.uint8)
    return Scene(noise + (COLOURS + 40)[labels], labels, shapes)


SCENES = {f"scene_{number}": draw(number) for number in range(4)}


def near_edges(labels):
    """Which pixels have a neighbour of another class."""
    height, width = labels.shape
    padded = np.pad(labels, 1, mode="edge")
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.any(shifted != labels, axis=0)


class Folder:
    """A folder to write a source into, and what `prepare` makes of it."""

    def __init__(self, root):
        self.root, self.out = root / "source", root / "out"
        self.root.mkdir()
        self.plan = None

    def image(self, name, pixels, **options):
        """Writes an array as an image."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels)
        if palette := options.pop("palette", None):
            picture = Image.fromarray(pixels, "P")
            picture.putpalette(palette)
        picture.save(path, **options)

    def text(self, name, content):
        """Writes a text, or anything else as JSON."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def scenes(self, image="images/{}.png", label=None, values=None):
        """Writes all scenes' images, and `values` of their labels."""
        for name, scene in SCENES.items():
            self.image(image.format(name), scene.image)
            if label:
                self.image(label.format(name), scene.labels if values is None else values(scene))

    def prepare(self, source=None, format=None, **options):
        """The label maps {name of the scene: array}, and the info.json that is written."""
        self.plan = plan(source or self.root, format, **options)
        counts, info = carry_out(self.plan, self.out)
        found = {}
        for split in counts:
            rows = read_split(self.out, split)
            for name, path in zip(rows.names, rows.labels, strict=True):
                stem = next((one for one in SCENES if one in name), name)
                found[stem] = np.asarray(Image.open(path))
        return found, info

    def check(self, name, source=None, edges=False, **options):
        """Prepares, and compares with the scenes by the classes' names; `name` is the format's.

        With `edges`, pixels may differ that lie at an edge.
        """
        found, info = self.prepare(source, **options)
        assert self.plan.format.name == name
        assert sorted(found) == sorted(SCENES)
        order = [list(CLASSES).index(one) for one in info.classes]
        for stem, scene in SCENES.items():
            wrong = np.array(order, np.uint8)[found[stem]] != scene.labels
            if edges:
                assert wrong.mean() < 0.08, stem
                wrong &= ~near_edges(scene.labels)
            assert not wrong.any(), stem
        return info


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def scenes():
    return SCENES


@pytest.fixture(scope="session")
def colours():
    return COLOURS
