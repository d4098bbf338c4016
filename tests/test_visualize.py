import numpy as np
import pytest
from PIL import Image

from tfseg import visualize

# From Machado et al., 2009: what linear RGB becomes to eyes without red and without green cones.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def oklab(colours, seen):
    """Ottosson, 2020: a space in which distances are those that people see."""
    values = np.array(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    axes = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    linear = np.clip(linear @ np.transpose(seen), 0, 1)
    return np.cbrt(linear @ np.transpose(cones)) @ np.transpose(axes)


def distances(colours, others, seen):
    return np.linalg.norm(oklab(colours, seen)[:, None] - oklab(others, seen)[None], axis=-1)


@pytest.mark.parametrize("seen", BLINDNESS.values(), ids=BLINDNESS)
def test_default_palette_is_told_apart_by_all_eyes(seen):
    palette = visualize.default_palette(256)
    between = distances(palette, palette, seen)
    np.fill_diagonal(between, np.inf)
    assert between[:12, :12].min() > 0.09
    assert between[:24, :24].min() > 0.06
    assert between.min() > 0.015
    grounds = [[0, 0, 0], [255, 255, 255], visualize.VOID]
    assert distances(palette[:12], grounds, seen).min() > 0.09


def test_default_palette_is_bright():
    palette = visualize.default_palette(256)
    lightness = oklab(palette, np.eye(3))[:, 0]
    assert lightness[:12].min() > 0.46 and lightness.min() > 0.4
    assert palette[:3] == visualize.default_palette(3)


def test_colorize_uses_void_beyond_the_palette():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    colours = visualize.colorize(labels, [[1, 2, 3], [250, 0, 9]])
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[[1, 2, 3], [250, 0, 9]], [list(visualize.VOID)] * 2]


def test_overlay_mixes_and_leaves_ignored_pixels_alone():
    image = np.full((1, 3, 3), 200, np.uint8)
    labels = np.array([[0, 1, 255]], np.uint8)
    palette = [[0, 0, 0], [255, 255, 255]]
    mixed = visualize.overlay(image, labels, palette, alpha=0.25)
    assert mixed.dtype == np.uint8
    assert mixed[0, :, 0].tolist() == [150, 214, 200]
    assert np.array_equal(visualize.overlay(image, labels, palette, alpha=0.0), image)
    opaque = visualize.overlay(image, labels, palette, alpha=1.0)
    assert opaque[0, :, 0].tolist() == [0, 255, 200]


def test_overlay_refuses_labels_of_another_size():
    with pytest.raises(ValueError, match=r"\(4, 5, 3\)"):
        visualize.overlay(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.uint8), [[0, 0, 0]])


def test_panel_scales_to_one_height_and_keeps_every_picture():
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 255
    blue = np.zeros((80, 20, 3), np.uint8)
    blue[..., 2] = 255
    picture = visualize.panel([red, blue], ["a title much too long for its picture", ""])
    assert picture.dtype == np.uint8
    assert (picture == (255, 0, 0)).all(-1).sum() == 80 * 120
    assert (picture == (0, 0, 255)).all(-1).sum() == 80 * 20
    assert (picture[-1] == 255).all() and (picture[:, 0] == 255).all()
    # The title is shortened to its picture's width.
    ink = np.nonzero((picture[:20] < 128).all(-1).any(0))[0]
    assert ink.size and ink.max() < 130


def test_colour_table_makes_a_palette_png_that_reads_as_labels(tmp_path):
    labels = np.array([[0, 1, 255]], np.uint8)
    picture = Image.fromarray(labels)
    picture.putpalette(visualize.colour_table([[9, 8, 7], [6, 5, 4]]).tobytes())
    picture.save(tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as stored:
        assert np.array_equal(np.asarray(stored), labels)
        assert np.asarray(stored.convert("RGB"))[0, 1].tolist() == [6, 5, 4]
