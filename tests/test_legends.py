"""Legends: of the classes that occur alone, beside the picture, every name whole."""

import numpy as np

from tfseg import legends

PALETTE = [[250, 0, 0], [0, 250, 0], [0, 0, 250]]


def has(picture, colour):
    return bool((picture == colour).all(-1).any())


def test_entries_are_the_classes_that_occur_the_largest_first():
    maps = [np.array([[0, 2, 2], [2, 255, 255]]), np.array([[2, 0]])]
    expected = [("car", (0, 0, 250)), ("sky", (250, 0, 0))]
    assert legends.occurring(maps, ["sky", "road", "car"], PALETTE) == expected
    assert legends.occurring([np.full((2, 2), 255)], None, PALETTE) == []


def test_a_legend_lies_below_its_picture():
    picture = np.full((30, 200, 3), 7, np.uint8)
    result = legends.below(picture, [np.array([[0, 2]])], ["sky", "road", "car"], PALETTE)
    assert (result[:30] == picture).all()
    strip = result[30:]
    assert has(strip, PALETTE[0]) and has(strip, PALETTE[2]) and not has(strip, PALETTE[1])
    # One row is enough for two short names, and not for many.
    names = [f"a class with number {index}" for index in range(20)]
    palette = [[index, 0, 200] for index in range(20)]
    many = legends.below(picture, [np.arange(20)], names, palette)[30:]
    assert len(many) > 10 * len(strip) / 2
    assert all(has(many, colour) for colour in palette)


def test_a_picture_narrower_than_a_name_gets_room_for_it():
    picture = np.zeros((10, 8, 3), np.uint8)
    result = legends.below(picture, [np.zeros((1, 1), int)], ["a long name"], PALETTE[:1])
    assert result.shape[1] > 60 and (result[:10, :8] == 0).all() and (result[:10, 8:] == 255).all()
    wider = legends.below(picture, [np.zeros((1, 1), int)], ["a much longer name"], PALETTE[:1])
    assert wider.shape[1] > result.shape[1]


def test_in_a_video_every_class_keeps_its_place():
    show = legends.Places((240, 320), ["sky", "road", "car"], PALETTE)
    one, both = show(np.array([[2]])), show(np.array([[1, 2]]))
    assert one.shape == both.shape == (show.height, 320, 3) and (240 + show.height) % 2 == 0
    place = (one == PALETTE[2]).all(-1)
    assert place.any() and (place == (both == PALETTE[2]).all(-1)).all()
    assert has(both, PALETTE[1]) and not has(one, PALETTE[1])
    assert (show(np.array([[255]])) == 255).all()


def test_more_classes_than_places_take_turns():
    palette = [[index, 0, 200] for index in range(100)]
    show = legends.Places((96, 200), None, palette)
    assert show.height <= 48
    for index in (99, 3, 57):
        assert has(show(np.array([[index]])), palette[index])
    crowd = show(np.arange(100))
    assert sum(has(crowd, colour) for colour in palette) >= 2
