import numpy as np
import pytest
from PIL import Image

from tfseg import visualize


def test_default_palette_is_the_voc_colour_map():
    palette = visualize.default_palette(256)
    # From the VOC development kit's documentation.
    assert palette[:6] == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
    ]
    assert palette[15] == [192, 128, 128]
    assert palette[20] == [0, 64, 128]
    assert palette[255] == [224, 224, 192]
    assert len({tuple(colour) for colour in palette}) == 256


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
