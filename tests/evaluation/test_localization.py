import numpy as np
import pytest

import tfseg
from tfseg.errors import TfsegError
from tfseg.evaluation.localization import (
    Localizer,
    activation_box,
    box_iou,
    heat_overlay,
    localized,
    read_boxes,
)
from tfseg.models import Preprocessing


def test_maps_are_28_by_28_and_their_mean_is_the_classifiers_logits():
    model = tfseg.create_classifier("drn_a_18", 5)
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    scores, maps = Localizer(model, Preprocessing())(image)
    assert maps.shape == (28, 28, 5)
    logits = np.asarray(model(Preprocessing().normalize(image[None]))["logits"])[0]
    np.testing.assert_allclose(maps.mean((0, 1)), logits, atol=1e-4)
    np.testing.assert_allclose(scores, np.exp(logits) / np.exp(logits).sum(), atol=1e-4)
    assert Localizer(model, Preprocessing())(np.zeros((50, 100, 3), np.uint8))[1].shape[1] == 56


def test_boxes_hold_where_the_class_is_strongest():
    maps = np.zeros((4, 8, 2), np.float32)
    maps[1:3, 2:5, 0] = 1.0
    maps[3, 7, 0] = 0.4  # too weak
    maps[1, 4] = (1.0, 2.0)  # of the other class
    maps[2, 4] = (0.9, 2.0)
    assert activation_box(maps, 0, 0.5, (40, 160)) == (40, 10, 80, 30)
    assert activation_box(maps, 1, 0.5, (40, 160)) == (80, 10, 100, 30)
    maps[..., 1] = 5
    assert activation_box(maps, 0, 0.5, (40, 160)) == (40, 10, 100, 30)


def test_iou_and_localisation():
    assert box_iou((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 1, 1), (5, 5, 6, 6)) == 0
    truth = [("cat", (0, 0, 10, 10))]
    guesses = [("dog", (0, 0, 10, 10)), ("cat", (0, 0, 10, 6))]
    assert not localized(guesses, truth, top=1) and localized(guesses, truth, top=5)
    assert not localized([("cat", (0, 0, 10, 4))], truth)


def test_overlay_is_hot_where_the_map_is():
    image = np.full((40, 80, 3), 128, np.uint8)
    activation = np.zeros((4, 8))
    activation[:, 6:] = 3
    picture = heat_overlay(image, activation, box=(60, 0, 80, 40)).astype(int)
    assert picture.shape == image.shape
    assert picture[20, 70].sum() > picture[20, 5].sum() + 200
    assert (picture == (80, 255, 80)).all(-1).any()


def test_box_files(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("image,class,left,top,right,bottom\na.jpg,cat,1,2,3,4\na.jpg,dog,0,0,9,9\n")
    assert read_boxes(path) == {"a.jpg": [("cat", (1, 2, 3, 4)), ("dog", (0, 0, 9, 9))]}
    path.write_text("image,class,left,top,right,bottom\na.jpg,cat,1,2,x,4\n")
    with pytest.raises(TfsegError, match="line 2: expected image,class,left"):
        read_boxes(path)
    path.write_text("image,class,left,top,right,bottom\na.jpg," + "c" * 200_000 + ",1,2,3,4\n")
    with pytest.raises(TfsegError, match=r"boxes.csv, line .*: field larger than field limit"):
        read_boxes(path)


def test_box_where_every_activation_is_negative():
    maps = np.full((4, 4, 2), -2.0)
    maps[1, 2, 0] = -1.0
    assert activation_box(maps, 0, 0.5, (40, 40)) == (20.0, 10.0, 30.0, 20.0)
