import hashlib
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfseg import cli
from tfseg.data import (
    DataInfo,
    check_dataset,
    measure_folder,
    prepare_dataset,
    read_split,
    write_sample_dataset,
)
from tfseg.data.catalog import DATASETS
from tfseg.data.decoding import decode_image
from tfseg.data.prepare import image_statistics
from tfseg.errors import TfsegError

REPOSITORY = pathlib.Path(__file__).parents[3]


@pytest.fixture
def camvid(tmp_path):
    """A source folder in CamVid's layout: 3 training and 2 validation images of 8x6."""
    source = tmp_path / "source"
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        lines = []
        for number in range(count):
            image, label = f"{split}/{number}.png", f"{split}annot/{number}.png"
            for name, array in (
                (image, rng.integers(0, 256, (6, 8, 3), np.uint8)),
                (label, rng.integers(0, 12, (6, 8), np.uint8)),
            ):
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(source / name)
            lines.append(f"/SegNet/CamVid/{image} /SegNet/CamVid/{label}\n")
        (source / f"{split}.txt").write_text("".join(lines))
    return source


def digest(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read(path):
    return np.asarray(Image.open(path))


def test_camvid_as_it_is(camvid, tmp_path):
    before = digest(camvid)
    steps = []
    counts, info = prepare_dataset(
        "camvid", camvid, tmp_path / "out", progress=lambda *step: steps.append(step)
    )
    assert digest(camvid) == before
    assert counts == {"train": 3, "val": 2}
    assert steps == [(done, 5) for done in range(1, 6)]
    assert DataInfo.load(tmp_path / "out") == info
    assert info.classes[3] == "Road" and info.palette[3] == [128, 64, 128]
    assert len(info.classes) == len(info.palette) == 11
    for split in counts:
        found = read_split(tmp_path / "out", split)
        for number, (image, label) in enumerate(zip(found.images, found.labels, strict=True)):
            np.testing.assert_array_equal(read(image), read(camvid / f"{split}/{number}.png"))
            original = read(camvid / f"{split}annot/{number}.png")
            np.testing.assert_array_equal(read(label), np.where(original == 11, 255, original))
    assert check_dataset(tmp_path / "out").errors == []


def test_camvid_resized(camvid, tmp_path):
    prepare_dataset("camvid", camvid, tmp_path / "out", size=(4, 3))
    found = read_split(tmp_path / "out", "train")
    for number, (image, label) in enumerate(zip(found.images, found.labels, strict=True)):
        original = read(camvid / f"train/{number}.png").astype(float)
        assert read(image).shape == (3, 4, 3)
        # Reduction smooths: the result keeps the mean, which picking every other pixel does not.
        assert abs(read(image).mean() - original.mean()) < 8
        values = read(camvid / f"trainannot/{number}.png")[1::2, 1::2]
        np.testing.assert_array_equal(read(label), np.where(values == 11, 255, values))


def test_preparing_again_gives_the_same_bytes(camvid, tmp_path):
    prepare_dataset("camvid", camvid, tmp_path / "out", size=(4, 3))
    before = digest(tmp_path / "out")
    prepare_dataset("camvid", camvid, tmp_path / "out", size=(4, 3))
    assert digest(tmp_path / "out") == before


def test_statistics_are_over_all_pixels(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((5, 7), (50, 20))]
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for array, path in zip(arrays, paths, strict=True):
        Image.fromarray(array).save(path)
    pixels = np.concatenate([array.reshape(-1, 3) for array in arrays]) / 255
    mean, std = image_statistics(paths)
    np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, pixels.std(0), rtol=1e-12)


def test_statistics_are_of_the_pixels_that_training_sees(tmp_path):
    """Colours out of a palette, and grey without its transparency."""
    grey = np.random.default_rng(0).integers(0, 65536, (5, 7), np.uint16)
    palette = Image.fromarray((grey >> 12).astype(np.uint8))
    palette.putpalette(bytes(range(48)))
    pictures = {"palette": palette}
    pictures["alpha"] = Image.fromarray(grey.view(np.uint8)[:, :8].reshape(5, 4, 2), "LA")
    for name, picture in pictures.items():
        path = tmp_path / f"{name}.png"
        picture.save(path)
        pixels = decode_image(path.read_bytes(), str(path)).numpy().reshape(-1, 3) / 255
        mean, std = image_statistics([path])
        np.testing.assert_allclose(mean, pixels.mean(0), err_msg=name)
        np.testing.assert_allclose(std, pixels.std(0), err_msg=name)


def test_measure_folder_keeps_the_other_entries(make_folder):
    folder = make_folder([(8, 8), (12, 8)])
    before = DataInfo.load(folder)
    counts, info = measure_folder(folder)
    assert counts == {"train": 2} and DataInfo.load(folder) == info
    assert info.classes == before.classes and info.mean != before.mean
    (folder / "info.json").unlink()
    assert measure_folder(folder)[1].mean == info.mean


def test_copies_meet_neither_each_other_nor_the_source(tmp_path):
    source, data_dir = tmp_path / "source", tmp_path / "data"
    source.mkdir()
    for name, value in (("a.png", 10), ("a.jpg", 20), ("label1.png", 0), ("label2.png", 1)):
        channels = () if name.startswith("label") else (3,)
        Image.fromarray(np.full((8, 8, *channels), value, np.uint8)).save(source / name)
    # The last two lines name files that were named before.
    lines = f"a.png label1.png\na.jpg label2.png\n/{source}/a.png label1.png\na.png label1.png\n"
    (source / "train.txt").write_text(lines)
    before = digest(source)
    counts, _ = prepare_dataset("camvid", str(source), str(data_dir))
    found = read_split(data_dir, "train")
    assert counts == {"train": 4} and found.images[0] == found.images[2] == found.images[3]
    assert [read(path)[0, 0] for path in found.labels] == [0, 1, 0, 0]
    assert [int(read(path)[0, 0, 0]) for path in found.images] == [10, 20, 10, 10]
    assert len(list(data_dir.rglob("*.png"))) == 3

    other = tmp_path / "other"
    other.mkdir()
    (other / "images").symlink_to(source)
    with pytest.raises(TfsegError, match=r"other/images/a.* would be written to .*source"):
        prepare_dataset("camvid", str(source), str(other))
    assert digest(source) == before


def test_unknown_labels(camvid, tmp_path):
    path = camvid / "valannot/1.png"
    Image.new("L", (8, 6), 12).save(path)
    with pytest.raises(TfsegError, match=r"valannot/1\.png has the value 12 in 48 pixels"):
        prepare_dataset("camvid", camvid, tmp_path / "out")
    # What is not finished has no info.json.
    assert not (tmp_path / "out/info.json").exists()


def test_bad_sources(camvid, tmp_path):
    with pytest.raises(TfsegError, match="no source folder"):
        prepare_dataset("camvid", tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(TfsegError, match="source must stay as it is"):
        prepare_dataset("camvid", camvid, camvid)
    with pytest.raises(TfsegError, match="unknown data set 'camvit'; did you mean camvid"):
        prepare_dataset("camvit", camvid, tmp_path / "out")
    (camvid / "train/1.png").write_bytes(b"no image")
    with pytest.raises(TfsegError, match=r"image .*train/1\.png is not an image"):
        prepare_dataset("camvid", camvid, tmp_path / "out")
    (camvid / "train.txt").unlink()
    (camvid / "val.txt").unlink()
    with pytest.raises(TfsegError, match="no list of the split 'train'"):
        prepare_dataset("camvid", camvid, tmp_path / "out")


@pytest.mark.parametrize("name", DATASETS)
def test_catalog_rows_are_consistent(name):
    dataset = DATASETS[name].facts
    assert len(dataset.classes) == len(set(dataset.classes)) == len(dataset.palette)
    # ADE20K's own table paints roads and skyscrapers the same grey.
    repeated = 1 if name == "ade20k" else 0
    assert len(set(dataset.palette)) == len(dataset.palette) - repeated
    allowed = {*range(len(dataset.classes)), dataset.ignore_label}
    for mapping in (dataset.label_map, dataset.color_map):
        assert set((mapping or {}).values()) <= allowed


def test_sample_set_is_valid_and_repeats(tmp_path):
    counts, info = write_sample_dataset(tmp_path / "a", train=6, val=3)
    write_sample_dataset(tmp_path / "b", train=6, val=3)
    assert counts == {"train": 6, "val": 3}
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    report = check_dataset(tmp_path / "a")
    assert report.errors == []
    assert DataInfo.load(tmp_path / "a") == info
    for split in counts:
        assert (report.frequencies[split] > 0.002).all(), report.table()
        assert report.splits[split].sizes == {(192, 128): counts[split]}
        assert report.splits[split].ignored > 0


def test_a_sample_takes_no_other_sets_place(tmp_path):
    write_sample_dataset(tmp_path, train=3, val=1, size=(32, 48))
    write_sample_dataset(tmp_path, train=2, val=1, size=(32, 48))
    lists = tmp_path / "train_images.txt"
    lists.write_text("images/mine.png\n")
    (tmp_path / "info.json").write_text('{"mean": [0, 0, 0], "std": [1, 1, 1]}')
    with pytest.raises(TfsegError, match="1 image of the split train already"):
        write_sample_dataset(tmp_path, train=2, val=1, size=(32, 48))
    assert lists.read_text() == "images/mine.png\n"


def test_sample_scenes_differ(tmp_path):
    write_sample_dataset(tmp_path / "a", train=3, val=2, size=(32, 48))
    write_sample_dataset(tmp_path / "b", train=3, val=2, size=(32, 48), seed=1)
    pictures = [
        value
        for folder in "ab"
        for name, value in digest(tmp_path / folder).items()
        if name.startswith("images/")
    ]
    assert len(set(pictures)) == 10


def run_tool(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tools(camvid, tmp_path, capfd):
    out = tmp_path / "out"
    done = run_tool(
        *("tools/prepare_data.py", "--dataset=camvid", f"--source={camvid}"),
        *(f"--data_dir={out}", "--size=4x3"),
    )
    assert done.returncode == 0, done.stderr
    assert "3 train, 2 val" in done.stdout and "Bicyclist" in done.stdout
    capfd.readouterr()
    assert cli.main(["check", f"--data_dir={out}"]) == 0
    said = capfd.readouterr().err
    assert "error" not in said
    # Five files of four by three pixels don't show all classes.
    assert "none of the 2 label maps has a pixel of the classes 2 (Pole), 3 (Road)" in said
    path = out / "labels/train/1.png"
    Image.new("L", (4, 3), 99).save(path)
    done = run_tool("tools/check_data.py", f"--data_dir={out}")
    assert done.returncode == 1
    assert "Sky" in done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert errors == [
        f"error: label map {path} has the value 99 in 12 pixels; allowed are 0..10 and 255"
    ]
    assert "Traceback" not in done.stderr


def test_a_wrong_flag_ends_in_one_line():
    done = run_tool(
        "tools/prepare_data.py", "--dataset=camvid", "--data_dir=x", "--source=y", "--size=9"
    )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert line.startswith("error: --size=9 is not of the form WIDTHxHEIGHT")


def test_ade20k(tmp_path):
    source = tmp_path / "ADEChallengeData2016"
    for folder, values in (("training", [0, 1, 150]), ("validation", [7, 0, 2])):
        for kind in ("images", "annotations"):
            (source / kind / folder).mkdir(parents=True)
        pixels = np.array([[[0, 0, 0], [90, 80, 70], [250, 250, 250]]] * 2, np.uint8)
        Image.fromarray(pixels).save(source / "images" / folder / "ADE_1.jpg")
        label = np.array([values] * 2, np.uint8)
        Image.fromarray(label).save(source / "annotations" / folder / "ADE_1.png")
    counts, info = prepare_dataset("ade20k", source, tmp_path / "out")
    assert counts == {"train": 1, "val": 1}
    assert read_split(tmp_path / "out", "train").names == ["images/training/ADE_1.jpg"]
    (label,) = read_split(tmp_path / "out", "train").labels
    assert read(label)[0].tolist() == [255, 0, 149]
    assert (len(info.classes), len(set(info.classes)), len(info.palette)) == (150, 150, 150)
    # The first, the best known, and the last of the benchmark's list.
    assert (info.classes[0], info.palette[0]) == ("wall", [120, 120, 120])
    assert (info.classes[12], info.palette[12]) == ("person", [150, 5, 61])
    assert (info.classes[149], info.palette[149]) == ("flag", [92, 0, 255])
    assert check_dataset(tmp_path / "out").errors == []
    with pytest.raises(TfsegError, match=r"annotations/training/ADE_1.png"):
        prepare_dataset("ade20k", tmp_path / "out", tmp_path / "again")
