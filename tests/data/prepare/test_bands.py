"""Folders of images of any kind: what `prepare` keeps, writes and refuses, and who reads it."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfseg
from tfseg.bands import RGB, Bands
from tfseg.data import Augmentation, DataInfo, check_dataset, read_split, train_dataset
from tfseg.data.image_files import read_image
from tfseg.data.pixel_files import npy_bytes
from tfseg.data.prepare.bands import Moments
from tfseg.errors import TfsegError
from tfseg.models import Preprocessing

SIZE = (24, 20)


def png(array):
    return ".png", tf.io.encode_png(array).numpy()


def npy(array):
    return ".npy", npy_bytes(array)


def tiff(array):
    return ".tif", array


def drawn(kind, channels, seed):
    rng = np.random.default_rng(seed)
    if kind == "float32":
        return rng.uniform(-2, 7, (*SIZE, channels)).astype(np.float32)
    return rng.integers(0, np.iinfo(kind).max + 1, (*SIZE, channels)).astype(kind)


def write(root, images, encode):
    """Pairs of images and masks; the images as they were."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number, image in enumerate(images):
        suffix, contents = encode(image)
        path = root / "images" / f"{number}{suffix}"
        if suffix == ".tif":
            tifffile = pytest.importorskip("tifffile")
            tifffile.imwrite(path, contents, photometric="minisblack", planarconfig="contig")
        else:
            path.write_bytes(contents)
        label = (np.arange(SIZE[1]) > 10).astype(np.uint8)[None].repeat(SIZE[0], 0)
        Image.fromarray(label).save(root / "masks" / f"{number}.png")


def prepared(tmp_path, images, encode, **options):
    write(tmp_path / "source", images, encode)
    out = str(tmp_path / "out")
    return out, tfseg.prepare(source=str(tmp_path / "source"), data_dir=out, **options)


KINDS = [
    ("uint16", 1, png, {}, Bands(1, (0, 65535)), ".png"),
    ("uint16", 3, png, {}, Bands(3, (0, 65535)), ".png"),
    ("uint8", 4, png, {"channels": 4}, Bands(4), ".png"),
    ("uint8", 1, png, {"channels": 1}, Bands(1), ".png"),
    ("uint8", 4, png, {}, RGB, ".png"),
    ("uint8", 1, png, {}, RGB, ".png"),
    ("uint8", 5, npy, {}, Bands(5), ".npy"),
    ("uint16", 2, npy, {}, Bands(2, (0, 65535)), ".npy"),
    ("uint8", 4, tiff, {}, Bands(4), ".npy"),
    ("uint16", 6, tiff, {}, Bands(6, (0, 65535)), ".npy"),
    ("float32", 2, npy, {}, None, ".npy"),
]


@pytest.mark.parametrize(("kind", "channels", "encode", "options", "bands", "suffix"), KINDS)
def test_bands_and_bits_are_kept(kind, channels, encode, options, bands, suffix, tmp_path):
    images = [drawn(kind, channels, seed) for seed in range(5)]
    out, found = prepared(tmp_path, images, encode, **options)
    info = DataInfo.load(out)
    if bands is None:  # floats lie where they were found
        train = [images[i] for i in (0, 1, 2, 3, 4)]
        low, high = info.value_range
        assert min(map(np.min, train)) <= low < high <= max(map(np.max, train))
        bands = Bands(channels, info.value_range)
    assert info.bands == bands and found.info.bands == bands
    split = read_split(out, "train")
    assert split.bands == bands and all(name.endswith(suffix) for name in split.images)
    whole = []
    for name in split.images:
        number = int(name.rpartition("/")[2].partition(".")[0])
        pixels = read_image(name, bands=bands)
        wanted = images[number]
        wanted = wanted[..., :3] if bands.channels < channels else wanted
        np.testing.assert_array_equal(pixels, np.broadcast_to(wanted, pixels.shape))
        whole.append(pixels.reshape(-1, bands.channels).astype(np.float64))
    whole, (low, high) = np.concatenate(whole), bands.value_range
    np.testing.assert_allclose(info.mean, (whole.mean(0) - low) / (high - low), atol=1e-6)
    np.testing.assert_allclose(info.std, whole.std(0) / (high - low), atol=1e-6)
    report = check_dataset(out)
    assert not report.errors
    # Photographs' info.json is as it always was.
    text = (tmp_path / "out" / "info.json").read_text()
    assert ("value_range" in text) == (bands != RGB)


def test_an_image_of_another_kind_is_left_out_and_named(tmp_path):
    images = [drawn("uint16", 1, seed) for seed in range(5)]
    write(tmp_path / "source", images, png)
    (tmp_path / "source/images/1.png").write_bytes(png(drawn("uint8", 1, 9))[1])
    out = str(tmp_path / "out")
    found = tfseg.prepare(source=str(tmp_path / "source"), data_dir=out)
    ((path, reason),) = found.skipped
    assert path.endswith("1.png") and "has 8 bits; 1 channel of values in 0..65535" in reason


def test_resized(tmp_path):
    images = [np.full((*SIZE, 2), 1000 * (seed + 1), np.uint16) for seed in range(5)]
    out, _ = prepared(tmp_path, images, npy, size=(10, 12))
    split = read_split(out, "val")
    image = read_image(split.images[0], bands=split.bands)
    assert image.shape == (12, 10, 2) and len(np.unique(image)) == 1 and image[0, 0, 0] % 1000 == 0


def test_check_knows_what_info_json_says(tmp_path):
    out, _ = prepared(tmp_path, [drawn("uint16", 1, seed) for seed in range(5)], png)
    (tmp_path / "out/info.json").write_text('{"mean": [0.5, 0.5, 0.5], "std": [0.1, 0.1, 0.1]}')
    errors = check_dataset(out, 2).errors
    assert len(errors) == 5
    assert all("has 16 bits, which would be cut to 8" in line for line in errors)
    assert all("[0, 65535]" in line for line in errors)
    # And its numbers are measured again when its entries are changed.
    info = DataInfo((0.5,), (0.1,), channels=1, value_range=(0, 4095))
    info.save(out)
    tfseg.prepare("folder", out)
    again = DataInfo.load(out)
    assert again.value_range == (0, 4095) and again.mean == (1.0,)  # most values lie beyond


def test_samples_of_any_channels(tmp_path):
    """Crops, transforms, shards and the cache see the values of the files."""
    images = [drawn("uint16", 4, seed) for seed in range(5)]
    out, _ = prepared(tmp_path, images, npy, shards=1)
    info = DataInfo.load(out)
    preprocessing = Preprocessing.of(info)
    augmentation = Augmentation((16, 16), mirror=False)
    options = {"num_classes": 2, "batch_size": 2, "seed": 0}

    def first(**more):
        images, labels = next(
            iter(
                train_dataset(
                    read_split(out, "train"), augmentation, preprocessing, **options, **more
                )
            )
        )
        return images.numpy(), labels.numpy()

    plain, labels = first(cache=True)
    assert plain.shape == (2, 16, 16, 4) and labels.shape == (2, 16, 16)
    # Back to the files' numbers, exactly.
    low, high = info.value_range
    values = (plain * info.std + info.mean) * (high - low) + low
    everything = np.unique(np.concatenate([image.ravel() for image in images]))
    assert np.isin(np.rint(values), everything).all()
    changed, _ = first(transforms="gamma,blur,cutmix:1")
    assert changed.shape == plain.shape and not np.array_equal(changed, plain)
    for name in ("color_jitter", "grey"):
        with pytest.raises(TfsegError, match=f"{name} is for 3 channels, not for 4"):
            first(transforms=name)
    with pytest.raises(TfsegError, match="computes in 8 bits"):
        lanczos = Augmentation((16, 16), scale_filter="lanczos_cubic")
        train_dataset(read_split(out, "train"), lanczos, preprocessing, **options)
    with pytest.raises(TfsegError, match="but the model takes 3 channels of values in 0"):
        train_dataset(read_split(out, "train"), augmentation, Preprocessing(), **options)


def test_ranges_of_floats():
    moments = Moments.of(np.array([[[0.25], [0.75]]], np.float32))
    assert moments.bands(Bands(1, (0, 1))).value_range == (0, 1)
    wide = Moments.of(np.array([[[0.0], [255.0]]], np.float32)).bands(Bands(1, (0, 1)))
    assert wide.value_range == (0, 256) and not wide.in_levels
    flat = Moments.of(np.full((2, 2, 1), 7, np.float32))
    assert flat.bands(Bands(1, (0, 1))).value_range == (7, 8)
    assert flat.mean_and_std(Bands(1, (7, 8))) == ((0.0,), (1.0,))
