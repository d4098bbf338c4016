import json
import os
import types

import numpy as np
import pytest
from PIL import Image

from tfseg.bands import RGB
from tfseg.data.labels import class_values
from tfseg.errors import TfsegError
from tfseg.inference.predict_files import find_images, predict_files
from tfseg.inference.predictor import load
from tfseg.inference.resume import settings_of
from tfseg.models import ModelSpec
from tfseg.weights import save_original, save_weights

KINDS = ("color", "labels", "overlay")


class Stripes:
    """Stands for a predictor: the class is the red value, up to 2."""

    palette = ((0, 0, 0), (255, 0, 0), (0, 255, 0))
    bands = RGB
    spec = types.SimpleNamespace(classes=["ground", "stripe", "other"])
    needs_whole = None

    def predict(self, image):
        return np.minimum(image[..., 0], 2)


def picture(path, size=(5, 4), red=1):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    array = np.zeros((size[1], size[0], 3), np.uint8)
    array[:, ::2, 0] = red
    Image.fromarray(array).save(path)
    return str(path)


def listing(folder):
    return sorted(
        os.path.relpath(os.path.join(parent, file), folder)
        for parent, _, files in os.walk(folder)
        for file in files
    )


@pytest.fixture
def photos(tmp_path):
    for name in ("b/2.png", "a.png", "b/c/3.bmp", "b/1.PNG"):
        picture(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("not an image")
    return tmp_path / "photos"


def test_folder_is_searched_and_keeps_its_structure(photos):
    names = find_images([str(photos)])
    assert list(names.values()) == ["a.png", "b/1.png", "b/2.png", "b/c/3.png"]
    assert list(names)[3] == str(photos / "b/c/3.bmp")


def test_files_and_lists(photos):
    list_file = photos / "some_images.txt"
    outside = picture(photos.parent / "outside.png")
    list_file.write_text(f"b/2.png\n\nb/../a.png\n../outside.png\n{photos}/b/c/3.bmp\n")
    names = find_images([str(photos / "b/1.PNG"), str(list_file)])
    values = list(names.values())
    assert values[:4] == ["1.png", "b/2.png", "a.png", "outside.png"]
    # Absolute names are called as the list's own folder has them.
    assert values[4] == "b/c/3.png"
    assert os.path.samefile(list(names)[3], outside)


def test_same_stem_keeps_the_extension(photos):
    picture(photos / "a.jpg")
    names = find_images([str(photos)])
    assert list(names.values())[:2] == ["a.jpg.png", "a.png.png"]


def test_same_name_from_two_folders_is_an_error(photos, tmp_path):
    picture(tmp_path / "more" / "a.png")
    with pytest.raises(TfsegError, match=r"photos/a.png and .*more/a.png would both"):
        find_images([str(photos), str(tmp_path / "more")])


def test_results_inside_of_the_input_are_no_input(photos):
    picture(photos / "out" / "labels" / "a.png")
    names = list(find_images([str(photos)], str(photos / "b" / ".." / "out")).values())
    assert names == ["a.png", "b/1.png", "b/2.png", "b/c/3.png"]
    with pytest.raises(TfsegError, match=r"among the images of .*photos: name another"):
        find_images([str(photos)], f"{photos}/")


def test_list_from_windows(photos):
    list_file = photos / "list.txt"
    list_file.write_bytes(b"\xef\xbb\xbfa.png\r\nb/2.png\r\n")
    assert list(find_images([str(list_file)])) == [str(photos / "a.png"), str(photos / "b/2.png")]


@pytest.mark.parametrize("kind", ["missing", "empty folder", "empty list"])
def test_nothing_to_predict(kind, tmp_path):
    path = tmp_path / "input.txt"
    if kind == "empty folder":
        path = tmp_path / "folder"
        path.mkdir()
    elif kind == "empty list":
        path.write_text("\n")
    with pytest.raises(TfsegError, match="does not exist" if kind == "missing" else "no image"):
        find_images([str(path)])


def test_results_of_many_images(photos, tmp_path):
    names = find_images([str(photos)])
    done = list(predict_files(Stripes(), names, str(tmp_path / "out"), threads=2))
    assert [(path, message) for path, _, message, *_ in done] == [(path, None) for path in names]
    assert all(labels.shape == (4, 5) for _, labels, *_ in done)
    assert listing(tmp_path / "out") == sorted(f"{k}/{n}" for k in KINDS for n in names.values())
    expected = np.tile(np.array([1, 0, 1, 0, 1], np.uint8), (4, 1))
    with Image.open(tmp_path / "out/labels/b/2.png") as labels:
        assert labels.mode == "L"
        assert np.array_equal(np.asarray(labels), expected)
    with Image.open(tmp_path / "out/color/b/2.png") as color:
        assert np.array_equal(np.asarray(color), expected)
        assert np.asarray(color.convert("RGB"))[0, 0].tolist() == [255, 0, 0]
    with Image.open(tmp_path / "out/overlay/b/2.png") as overlay:
        assert overlay.mode == "RGB" and overlay.size[1] > 4  # a legend below


def test_bad_image_is_reported_and_the_others_are_done(photos, tmp_path):
    good = (photos / "b/2.png").read_bytes()
    (photos / "b/2.png").write_bytes(good[: len(good) // 2])
    (photos / "a.png").write_bytes(b"nothing of the kind")
    names = find_images([str(photos)])
    done = list(predict_files(Stripes(), names, str(tmp_path / "out"), ("labels",), threads=2))
    assert sorted(one.path for one in done) == sorted(names)
    failures = {os.path.relpath(path, photos): message for path, _, message, *_ in done if message}
    assert set(failures) == {"a.png", "b/2.png"}
    assert all(name in message and "\n" not in message for name, message in failures.items())
    assert listing(tmp_path / "out") == ["labels/b/1.png", "labels/b/c/3.png"]


def test_failure_while_writing_leaves_no_half_file(photos, tmp_path, monkeypatch):
    names = find_images([str(photos)])
    save = Image.Image.save

    def full_disk(self, file, *args):
        save(self, file, *args)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(TfsegError, match="No space left on device"):
        list(predict_files(Stripes(), names, str(tmp_path / "out"), threads=2))
    assert listing(tmp_path / "out") == []


def test_more_images_than_threads_are_all_done_in_order(tmp_path):
    paths = [picture(tmp_path / f"in/{index:02}.png", (1 + index, 1)) for index in range(20)]
    names = find_images([str(tmp_path / "in")])
    done = list(predict_files(Stripes(), names, str(tmp_path / "out"), ("labels",), threads=3))
    assert [one.path for one in done] == paths
    assert len(listing(tmp_path / "out/labels")) == 20


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_absolute_names_stay_below_the_output_folder(slashes, photos, tmp_path):
    before = (photos / "a.png").read_bytes()
    list_file = tmp_path / "lists" / "all.txt"
    list_file.parent.mkdir()
    list_file.write_text(f"{slashes}{str(photos)[1:]}/a.png\n")
    names = find_images([str(list_file)])
    assert list(names.values()) == [f"{str(photos)[1:]}/a.png"]
    assert [one.message for one in predict_files(Stripes(), names, tmp_path / "out")] == [None]
    assert (photos / "a.png").read_bytes() == before
    assert listing(tmp_path / "out") == [f"{kind}{photos}/a.png" for kind in KINDS]


def test_images_are_not_written_over(photos, tmp_path):
    out = tmp_path / "out"
    earlier = picture(out / "labels" / "a.png")
    before = (out / "labels" / "a.png").read_bytes()
    with pytest.raises(TfsegError, match=r"out/labels/a.png is one of the files that are read"):
        list(predict_files(Stripes(), find_images([earlier]), str(out)))
    assert (out / "labels" / "a.png").read_bytes() == before
    (out / "color").symlink_to(photos)
    with pytest.raises(TfsegError, match=r"out/color/.*png would be written to .*photos"):
        list(predict_files(Stripes(), find_images([str(photos)]), str(out), ("color",)))


class Counting(Stripes):
    def __init__(self):
        self.calls = 0

    def predict(self, image):
        self.calls += 1
        return super().predict(image)


def test_second_run_does_what_is_missing(photos, tmp_path):
    out, names = tmp_path / "out", find_images([str(photos)])

    def run(settings, outputs=("labels", "overlay")):
        predictor = Counting()
        done = list(predict_files(predictor, names, str(out), outputs, settings=settings))
        assert sorted(one.path for one in done) == sorted(names)
        assert sum(not one.kept for one in done) == predictor.calls
        assert all(labels.shape == (4, 5) for _, labels, *_ in done)
        return predictor.calls

    assert run({"scales": (1.0,)}) == 4
    assert run({"scales": (1.0,)}) == 0
    # A missing file of either kind, and an image that was changed.
    (out / "labels/b/1.png").unlink()
    (out / "overlay/a.png").unlink()
    os.utime(photos / "b/2.png")
    assert run({"scales": (1.0,)}) == 3
    assert run({"scales": (1.0,)}, ("labels", "panel")) == 4
    assert run({"scales": (0.5,)}) == 4


def test_interrupted_run_is_finished(photos, tmp_path):
    out, names = tmp_path / "out", find_images([str(photos)])
    first = predict_files(Stripes(), names, str(out), settings={"a": 1}, threads=1)
    next(first)
    first.close()
    whole = len(listing(out / "overlay"))
    assert 0 < whole < 4
    again = Counting()
    list(predict_files(again, names, str(out), settings={"a": 1}))
    assert again.calls == 4 - whole
    assert len(listing(out / "labels")) == 4


def test_ids_and_panel(photos, tmp_path):
    names = find_images([str(photos / "a.png")])
    ids = class_values(3, {7: 0, 8: 1, 11: 2, 9: 255, 12: 1})
    list(predict_files(Stripes(), names, str(tmp_path), ("ids", "panel"), ids=ids))
    with Image.open(tmp_path / "ids/a.png") as picture:
        assert np.asarray(picture).tolist() == [[8, 7, 8, 7, 8]] * 4
    with Image.open(tmp_path / "panel/a.png") as picture:
        assert picture.width > 3 * 5
    with pytest.raises(TfsegError, match="no value for class 1 of 2"):
        class_values(2, {7: 0})


def test_files_of_others_are_not_written_over(photos, tmp_path):
    truth, names = tmp_path / "out" / "labels" / "a.png", find_images([str(photos)])
    picture(truth, red=9)
    before = truth.read_bytes()
    with pytest.raises(TfsegError, match=r"labels/a.png is not of an earlier run and would be"):
        list(predict_files(Stripes(), names, str(tmp_path / "out"), settings={"a": 1}))
    assert truth.read_bytes() == before and not (tmp_path / "out" / "settings.json").exists()
    (tmp_path / "mine").mkdir()
    for text in ('{"editor": 1}', "[]", "nothing"):
        (tmp_path / "mine" / "settings.json").write_text(text)
        with pytest.raises(TfsegError, match=r"settings.json is not"):
            list(predict_files(Stripes(), names, str(tmp_path / "mine"), settings={"a": 1}))
        assert (tmp_path / "mine" / "settings.json").read_text() == text


def test_settings_are_of_the_weights_content(tmp_path):
    spec = ModelSpec("drn_d_22", 2)
    model = spec.build()
    save_weights(model, tmp_path / "a.weights.h5")
    (tmp_path / "run").mkdir()
    spec.save(tmp_path / "run" / "model.json")
    (tmp_path / "run" / "best.weights.h5").write_bytes((tmp_path / "a.weights.h5").read_bytes())
    save_original(model, tmp_path / "a.safetensors")
    sources = [tmp_path / name for name in ("a.weights.h5", "a.safetensors", "run")]
    first, *others = (settings_of(load(source, spec)) for source in sources)
    assert all(other == first for other in others)
    assert json.loads(json.dumps(first))["weights"] == first["weights"]
    # The same file, size and time; another value.
    variable = model.trainable_variables[0]
    variable.assign(variable.numpy() + 1)
    save_weights(model, tmp_path / "run" / "best.weights.h5")
    assert settings_of(load(tmp_path / "run"))["weights"] != first["weights"]
