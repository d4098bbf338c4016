"""The drawing of one small street scene, with the class of every pixel.

A scene is a street in one-point perspective. An object at depth t (0 at the horizon, 1 at the
lower edge) stands on the row horizon + t * (height - horizon) and is t times its nearest size.
Scenes are drawn several times too large and reduced, so that the images are smooth; their label
maps take the values at the pixels' centres.
"""

import itertools
import math

import numpy as np
from PIL import Image, ImageDraw

CLASSES = {
    "sky": (112, 168, 216),
    "building": (150, 90, 74),
    "tree": (72, 136, 56),
    "pavement": (208, 152, 200),
    "road": (112, 72, 120),
    "car": (32, 48, 176),
    "sign": (232, 208, 72),
}
SKY, BUILDING, TREE, PAVEMENT, ROAD, CAR, SIGN = range(len(CLASSES))
IGNORE = 255
# Times larger than the result; odd, so that a pixel's centre is one of the drawing's pixels.
_SCALE = 3
# Strength of the texture on each class, and of the coarse part in it.
_TEXTURE = np.array([0.01, 0.05, 0.16, 0.05, 0.07, 0.02, 0.02], np.float32)
_BLOTCHES = np.array([0.03, 0.04, 0.22, 0.05, 0.06, 0.02, 0.0], np.float32)
_WALLS = ((168, 98, 76), (196, 172, 136), (150, 146, 142), (176, 126, 92), (128, 108, 112))
_PAINTS = (
    (184, 36, 36),
    (36, 72, 160),
    (220, 220, 216),
    (40, 44, 48),
    (216, 168, 40),
    (40, 110, 90),
)


def draw_scene(rng, size):
    """One scene.

    Args:
        rng: `np.random.Generator`.
        size: (height, width).

    Returns:
        uint8 RGB [H, W, 3] and uint8 classes [H, W], with the ignore label around cars and trees.
    """
    scene = _Scene(rng, size)
    scene.draw_ground()
    for side in (-1, 1):
        scene.draw_buildings(side)
    objects = []
    for side in (-1, 1):
        for depth in rng.uniform(0.3, 0.9, rng.integers(1, 3)):
            objects.append((depth, scene.draw_tree, side))
        for depth in rng.uniform(0.5, 1.0, rng.integers(1, 3)):
            objects.append((depth, scene.draw_sign, side))
        for depth in rng.uniform(0.3, 0.85, rng.integers(1, 3)):
            objects.append((depth, scene.draw_car, side))
    # The nearer hides the farther.
    for depth, draw, side in sorted(objects, key=lambda entry: entry[0]):
        draw(depth, side)
    return scene.render(size)


class _Scene:
    """A drawing in progress: colours and classes side by side."""

    def __init__(self, rng, size):
        self.rng = rng
        self.height, self.width = (extent * _SCALE for extent in size)
        self.image = Image.new("RGB", (self.width, self.height))
        self.label = Image.new("L", (self.width, self.height), SKY)
        self._colours = ImageDraw.Draw(self.image)
        self._classes = ImageDraw.Draw(self.label)
        self.horizon = self.height * rng.uniform(0.36, 0.48)
        self.vanishing = self.width * rng.uniform(0.35, 0.65)
        # Where the road's and the buildings' edges reach the lower edge.
        self.kerb = {
            -1: self.width * rng.uniform(-0.1, 0.15),
            1: self.width * rng.uniform(0.85, 1.1),
        }
        self.wall = {
            side: self.kerb[side] + side * self.width * rng.uniform(0.5, 0.75) for side in (-1, 1)
        }

    def row(self, depth):
        return self.horizon + (self.height - self.horizon) * depth

    def column(self, edge, depth):
        return self.vanishing + (edge - self.vanishing) * depth

    def fill(self, shape, points, colour, label=None):
        """Draws a "polygon", "ellipse", "rectangle" or "line"; without a label it is decoration."""
        points = [(float(x), float(y)) for x, y in points]
        colour = tuple(int(np.clip(value, 0, 255)) for value in colour)
        getattr(self._colours, shape)(points, fill=colour)
        if label is not None:
            getattr(self._classes, shape)(points, fill=label)

    def shade(self, colour, spread=18):
        """A colour near `colour`."""
        return np.asarray(colour) * self.rng.uniform(0.85, 1.12) + self.rng.normal(0, spread / 3, 3)

    def draw_ground(self):
        """Sky, pavement, road with its markings."""
        zenith = self.shade((96, 148, 212))
        haze = self.shade((206, 218, 226))
        for y in range(self.height):
            share = min(y / self.horizon, 1.0)
            self.fill("line", [(0, y), (self.width, y)], zenith + (haze - zenith) * share)
        for _ in range(self.rng.integers(0, 5)):
            self._draw_cloud()
        ground = [(0, self.horizon), (self.width, self.horizon)]
        ground += [(self.width, self.height), (0, self.height)]
        self.fill("polygon", ground, self.shade((168, 162, 154)), PAVEMENT)
        top = (self.vanishing, self.horizon)
        road = [top, (self.kerb[1], self.height), (self.kerb[-1], self.height)]
        self.fill("polygon", road, self.shade((92, 94, 98)), ROAD)
        kerb_width = 0.02 * self.width
        for side in (-1, 1):
            edge = self.kerb[side]
            outer = edge + side * kerb_width
            stone = [top, (edge, self.height), (outer, self.height)]
            self.fill("polygon", stone, self.shade((196, 194, 188)), PAVEMENT)
        middle = (self.kerb[-1] + self.kerb[1]) / 2
        start = self.rng.uniform(0, 1)
        for step in range(12):
            near, far = (1.0 / (0.6 + 0.7 * (step + start + part)) for part in (0.0, 0.45))
            self._draw_marking(middle, near, far)

    def _draw_cloud(self):
        x = self.rng.uniform(0, self.width)
        y = self.rng.uniform(0, 0.7 * self.horizon)
        colour = self.shade((232, 234, 238), 6)
        for _ in range(self.rng.integers(3, 7)):
            radius = self.rng.uniform(0.02, 0.06) * self.width
            dx, dy = self.rng.normal(0, 0.04 * self.width), self.rng.normal(0, 0.012 * self.width)
            box = [(x + dx - 1.6 * radius, y + dy - 0.5 * radius)]
            self.fill("ellipse", [*box, (x + dx + 1.6 * radius, y + dy + 0.5 * radius)], colour)

    def _draw_marking(self, middle, near, far):
        half = 0.012 * self.width
        corners = [(middle - half, far), (middle + half, far)]
        corners += [(middle + half, near), (middle - half, near)]
        points = [(self.column(edge, depth), self.row(depth)) for edge, depth in corners]
        self.fill("polygon", points, (212, 210, 200))

    def draw_buildings(self, side):
        """A row of houses along one side, the farthest first."""
        depths = [0.06]
        while depths[-1] < 1.6:
            depths.append(depths[-1] * self.rng.uniform(1.35, 2.1))
        for far, near in itertools.pairwise(depths):
            # A gap shows the sky and what is behind.
            if self.rng.uniform() < 0.12:
                continue
            height = self.height * self.rng.uniform(0.9, 1.9)
            colour = self.shade(_WALLS[self.rng.integers(len(_WALLS))])
            self._draw_house(side, far, near, height, colour)

    def _draw_house(self, side, far, near, height, colour):
        def at(along, up):
            # Equal steps along a wall are equal steps of 1 / depth.
            depth = 1 / (1 / far + (1 / near - 1 / far) * along)
            return self.column(self.wall[side], depth), self.row(depth) - height * depth * up

        def quad(left, right, low, high):
            return [at(left, low), at(right, low), at(right, high), at(left, high)]

        self.fill("polygon", quad(0, 1, 0, 1), colour, BUILDING)
        # The wall that faces us closes the house towards the gap or the lower neighbour.
        outside = side * self.width * 2
        corner, roof = at(1, 0), at(1, 1)
        front = [corner, roof, (roof[0] + outside, roof[1]), (corner[0] + outside, corner[1])]
        self.fill("polygon", front, colour * 0.86, BUILDING)
        self.fill("polygon", quad(0, 1, 0.97, 1), colour * 0.7)
        floors, bays = int(self.rng.integers(3, 7)), int(self.rng.integers(2, 5))
        glass = self.shade((70, 84, 104))
        for floor in range(floors):
            for bay in range(bays):
                left, low = (bay + 0.25) / bays, (floor + 0.3) / (floors + 0.3)
                window = quad(left, left + 0.5 / bays, low, low + 0.5 / floors)
                self.fill("polygon", window, glass * self.rng.uniform(0.7, 1.5))

    def draw_tree(self, depth, side):
        """A trunk and a crown of several round parts."""
        edge = self.kerb[side] + side * self.width * self.rng.uniform(0.18, 0.4)
        x, y = self.column(edge, depth), self.row(depth)
        size = self.height * depth * self.rng.uniform(0.75, 1.15)
        trunk = 0.06 * size
        box = [(x - trunk, y - 0.5 * size), (x + trunk, y)]
        self.fill("rectangle", box, self.shade((92, 70, 52)), TREE)
        colour = self.shade((64, 112, 48))
        for _ in range(9):
            angle, reach = self.rng.uniform(0, 2 * math.pi), self.rng.uniform(0, 0.24) * size
            cx = x + 0.9 * reach * math.cos(angle)
            cy = y - 0.72 * size + reach * math.sin(angle)
            radius = self.rng.uniform(0.12, 0.2) * size
            # Lit from above.
            light = 1.0 - 0.9 * (cy - (y - 0.72 * size)) / size
            box = [(cx - radius, cy - radius), (cx + radius, cy + radius)]
            self.fill("ellipse", box, colour * light, TREE)

    def draw_sign(self, depth, side):
        """A traffic sign, a notice board or a street lamp: a thin pole with something on it."""
        edge = self.kerb[side] + side * self.width * self.rng.uniform(0.08, 0.16)
        x, y = self.column(edge, depth), self.row(depth)
        size = self.height * depth * self.rng.uniform(0.65, 0.9)
        half = max(0.011 * self.width * depth, _SCALE)
        grey = self.shade((72, 76, 80))
        self.fill("rectangle", [(x - half, y - size), (x + half, y)], grey, SIGN)
        reach = 0.075 * self.width * depth

        def box(shape, width, height, colour, label=None):
            corner = (reach * width, reach * height)
            corners = [(x - corner[0], y - size - corner[1]), (x + corner[0], y - size + corner[1])]
            self.fill(shape, corners, colour, label)

        kind = self.rng.choice(["round", "board", "lamp"], p=[0.45, 0.35, 0.2])
        if kind == "round":
            box("ellipse", 1.0, 1.0, self.shade((200, 40, 40)), SIGN)
            box("rectangle", 0.6, 0.2, (236, 236, 230))
        elif kind == "board":
            box("rectangle", 1.3, 0.9, self.shade((236, 198, 60)), SIGN)
            box("rectangle", 0.9, 0.12, (60, 56, 48))
        else:
            box("rectangle", 1.3, 0.4, grey, SIGN)
            box("rectangle", 1.1, 0.25, self.shade((240, 232, 190)))

    def draw_car(self, depth, side):
        """A car from behind or from in front, with its shadow on the road."""
        road = self.kerb[1] - self.kerb[-1]
        lane = (self.kerb[-1] + self.kerb[1]) / 2 + side * road * self.rng.uniform(0.16, 0.34)
        x, y = self.column(lane, depth), self.row(depth)
        w = road * depth * self.rng.uniform(0.27, 0.33)
        h = w * self.rng.uniform(0.68, 0.85)
        colour = self.shade(_PAINTS[self.rng.integers(len(_PAINTS))])

        def box(shape, left, top, right, low, paint, label=None):
            corners = [(x + left * w, y - top * h), (x + right * w, y - low * h)]
            self.fill(shape, corners, paint, label)

        def trapezium(top_half, low_half, top, low, paint, label=None):
            corners = [(-top_half, top), (top_half, top), (low_half, low), (-low_half, low)]
            self.fill("polygon", [(x + a * w, y - b * h) for a, b in corners], paint, label)

        box("ellipse", -0.62, 0.1, 0.62, -0.1, (48, 48, 52))
        for wheel in (-0.46, 0.28):
            box("rectangle", wheel, 0.22, wheel + 0.18, 0, (24, 24, 26), CAR)
        trapezium(0.34, 0.46, 1.0, 0.55, colour * 0.92, CAR)
        box("rectangle", -0.5, 0.6, 0.5, 0.12, colour, CAR)
        trapezium(0.29, 0.4, 0.94, 0.62, self.shade((52, 62, 76)))
        lights = (200, 30, 28) if side > 0 else (240, 236, 200)
        for left in (-0.47, 0.33):
            box("rectangle", left, 0.52, left + 0.14, 0.4, lights)
        box("rectangle", -0.14, 0.32, 0.14, 0.22, (220, 218, 204))

    def render(self, size):
        """The finished image and label map: texture, light, noise; reduced to `size`."""
        rng = self.rng
        label = np.asarray(self.label)[_SCALE // 2 :: _SCALE, _SCALE // 2 :: _SCALE]
        image = self.image.resize((size[1], size[0]), Image.Resampling.BOX)
        image = np.asarray(image, np.float32)
        fine = rng.standard_normal(size, np.float32)
        texture = 1 + _TEXTURE[label] * fine + _BLOTCHES[label] * _smooth_noise(rng, size, 5)
        # Light falls off across the scene, and clouds and houses shade parts of it.
        y, x = np.mgrid[-0.5 : 0.5 : size[0] * 1j, -0.5 : 0.5 : size[1] * 1j]
        slope = rng.uniform(-0.35, 0.35, 2)
        light = rng.uniform(0.75, 1.1) * (1 + slope[0] * x + slope[1] * y)
        light *= 1 + 0.12 * _smooth_noise(rng, size, max(size) // 4)
        tint = 1 + rng.normal(0, 0.04, 3)
        image = image * (texture * light)[..., None] * tint
        image += rng.normal(0, rng.uniform(1, 4), image.shape)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8), _with_borders(label)


def _smooth_noise(rng, size, cell):
    """Float [H, W] noise of unit strength that varies over `cell` pixels."""
    grid = rng.standard_normal((size[0] // cell + 2, size[1] // cell + 2), np.float32)
    return np.asarray(Image.fromarray(grid).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _with_borders(label):
    """The label map with the ignore label on the edges of cars and trees, as annotators do."""
    padded = np.pad(label, 1, mode="edge")
    height, width = label.shape
    result = label.copy()
    for dy, dx in ((0, 1), (1, 0), (1, 2), (2, 1)):
        neighbour = padded[dy : dy + height, dx : dx + width]
        for kind in (CAR, TREE):
            # One pixel, on the object's own side.
            result[(label == kind) & (neighbour != kind)] = IGNORE
    return result
