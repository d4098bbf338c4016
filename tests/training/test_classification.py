"""Classifiers: the same trainer, on folders of drawn images."""

import os
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw

import tfseg
from tfseg import cli
from tfseg.data.image_files import read_image
from tfseg.data.pipelines.classification import read_class_folders
from tfseg.errors import TfsegError
from tfseg.evaluation.localization import Localizer
from tfseg.models import PREPROCESSINGS, ModelSpec
from tfseg.training import Classification, ClassifyConfig, train
from tfseg.weights import save_original

TINY = {"blocks": [1, 1, 1, 1, 0, 0, 0, 0]}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Red discs, green and blue squares on noise: 12 of each for training, 4 for validation."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4)):
        for channel, name in enumerate(("disc", "square", "tile")):
            colour = tuple(220 if k == channel else 40 for k in range(3))
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(rng.integers(90, 160, (48, 60, 3), np.uint8))
                left, top = rng.integers(2, 20, 2).tolist()
                shape = (left, top, left + 24, top + 24)
                draw = ImageDraw.Draw(image)
                (draw.ellipse if name == "disc" else draw.rectangle)(shape, fill=colour)
                image.save(root / split / name / f"{number}.png")
    return root


@pytest.fixture
def make(folders, tmp_path):
    def config(run="run", **settings):
        values = {
            "data_dir": folders,
            "run_dir": str(tmp_path / run),
            "model": "drn_d_22",
            "model_options": TINY,
            "crop_size": 32,
            "resize": 36,
            "batch_size": 6,
            "epochs": 2.0,
            "learning_rate": 0.02,
            "strategy": "one_device",
            "log_every": 1,
        }
        return ClassifyConfig(**{**values, **settings})

    return config


def test_learns_better_than_chance_and_is_tested(make, folders, tool):
    config = make(epochs=12.0, learning_rate=0.05, color_jitter=0.1)
    result = train(config, task=Classification())
    assert result.best["val_top1"] >= 0.75 and result.best["val_top5"] == 1.0
    spec = ModelSpec.load(os.path.join(config.run_dir, "model.json"), "classifier")
    assert spec.classes == ["disc", "square", "tile"] and spec.kind == "classifier"
    with pytest.raises(TfsegError, match="describes a classifier, not a segmenter"):
        ModelSpec.load(os.path.join(config.run_dir, "model.json"))
    done = tool("test", f"--data_dir={folders}", f"--run_dir={config.run_dir}")
    assert f"top-1 {result.best['val_top1']:.4f}" in done
    assert "12 images, 3 classes" in done
    out = pathlib.Path(config.run_dir) / "maps"
    boxes = out.parent / "boxes.csv"
    boxes.write_text("image,class,left,top,right,bottom\n0.png,square,0,0,60,48\n")
    picture = folders / "val/square/0.png"
    done = tool(
        *("locate", f"--run_dir={config.run_dir}", f"--output_dir={out}", f"--boxes={boxes}"),
        str(picture),
    )
    assert (out / "0.png").exists() and "localisation error" in done


@pytest.fixture
def tool(capfd):
    """Function (arguments) -> what `tfseg classify` prints."""

    def main(*arguments):
        capfd.readouterr()
        code = cli.main(["classify", *map(str, arguments)])
        output = capfd.readouterr()
        assert code == 0, output.err
        return output.out

    return main


def test_weights_bring_their_preprocessing(folders, tmp_path, tool):
    model = tfseg.create_classifier("resnet18", 3, blocks=[1, 1, 1, 1])
    save_original(model, tmp_path / "bgr.safetensors")
    names, picture = ["disc", "square", "tile"], folders / "val/square/0.png"
    (tmp_path / "names.txt").write_text("\n".join(names))
    done = tool(
        *("locate", f"--weights={tmp_path / 'bgr.safetensors'}", "--model=resnet18"),
        *("--model_option=blocks=1,1,1,1", f"--class_names={tmp_path / 'names.txt'}"),
        *(f"--output_dir={tmp_path / 'out'}", "--crop_size=32", str(picture)),
    )
    scores, _ = Localizer(model, PREPROCESSINGS["ade20k"], 32)(read_image(picture))
    best = int(scores.argmax())
    assert f"{picture}: {names[best]} {scores[best]:.1%}" in done
    other, _ = Localizer(model, PREPROCESSINGS["imagenet"], 32)(read_image(picture))
    assert abs(other - scores).max() > 0.01


@pytest.mark.slow
def test_resumes_exactly(make, assert_same_run):
    settings = {"steps": 6, "epochs": 0.0, "validate_every": "3", "label_smoothing": 0.1}
    settings["transforms"] = "grey:0.5,erase"
    whole, parts = make("whole", **settings), make("parts", **settings)
    train(whole, task=Classification())
    train(make("parts", **{**settings, "steps": 3}), task=Classification())
    result = train(parts, task=Classification())
    assert result.step == 6
    assert_same_run(whole, parts)


@pytest.mark.slow
def test_replicas_give_the_same(make, two_replicas, assert_same_run):
    one = make("one", steps=2, epochs=0.0)
    two = make("two", steps=2, epochs=0.0, strategy="mirrored", replicas=2)
    for config in (one, two):
        train(config, task=Classification())
    assert_same_run(one, two, tolerance=1e-3)


def test_settings_are_those_of_the_paper_and_checked(make, folders):
    config = ClassifyConfig(data_dir=folders, run_dir="r", model="drn_d_22")
    assert (config.epochs, config.lr_step_size, config.lr_decay_rate) == (120, 30, 0.1)
    assert (config.learning_rate, config.batch_size, config.crop_size) == (0.1, 256, (224, 224))
    flags = config.to_flags()
    assert "--resize=256" in flags and "short_sides" not in flags and "ohem" not in flags
    with pytest.raises(TfsegError, match="`resize=36` is smaller than `crop_size`"):
        make(crop_size=40)
    with pytest.raises(TfsegError, match="loss lovasz is over maps: classifiers have cross_entr"):
        make(loss="lovasz")
    with pytest.raises(TfsegError, match="transform cutmix isn't for classifiers"):
        make(transforms="cutmix")
    with pytest.raises(TfsegError, match=r"`color_jitter` must be in 0\.\.1"):
        make(color_jitter=2.0)
    for settings in ({"class_weights": (1.0, 2.0)}, {"short_sides": 32, "crop_size": ()}):
        with pytest.raises(TfsegError, match="is for segmentation: classifiers don't have it"):
            make(**settings)


def test_folders_that_are_wrong(make, folders, tmp_path, caplog):
    with pytest.raises(TfsegError, match=r"there is no folder .*train"):
        train(make(data_dir=tmp_path), task=Classification())
    (tmp_path / "train/cat").mkdir(parents=True)
    with pytest.raises(TfsegError, match="has no images"):
        train(make(data_dir=tmp_path), task=Classification())
    copy = tmp_path / "copy"
    shutil.copytree(folders, copy)
    shutil.rmtree(copy / "val/tile")
    classes = ["disc", "square", "tile"]
    with caplog.at_level("WARNING"):
        assert set(read_class_folders(copy, "val", classes).targets) == {0, 1}
    assert "has no images of 1 class: tile" in caplog.text
    (copy / "val/tile").mkdir()
    with pytest.raises(TfsegError, match=r"val.tile has no images"):
        read_class_folders(copy, "val", classes)
    (folders / "val/dog").mkdir()
    try:
        with pytest.raises(TfsegError, match="has the folder dog, which is none of the classes"):
            train(make(), task=Classification())
    finally:
        (folders / "val/dog").rmdir()
