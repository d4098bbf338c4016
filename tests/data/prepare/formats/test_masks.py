"""Masks of any kind and any layout: recognised, matched, and read as what they mean."""

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, check_dataset
from tfseg.data.prepare.formats import affixes
from tfseg.data.prepare.formats.found import Options
from tfseg.data.prepare.formats.table import IMPORT_FORMATS
from tfseg.errors import TfsegError

CLASSES = ("background", "box", "sign")
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 64]
CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nbox:128,0,0::\nsign:0,128,64::\n"


def names_file(folder, name="classes.txt"):
    folder.text(name, "\n".join(CLASSES))


# {layout: (image, mask)}
LAYOUTS = {
    "two folders": ("images/{}.png", "labels/{}.png"),
    "a suffix": ("images/{}.png", "masks/{}_mask.png"),
    "a prefix": ("img/{}.png", "gt/GT_{}.png"),
    "both have one": ("imgs/{}_rgb.png", "masks/{}_seg.png"),
    "one folder, by ending": ("{}.jpg", "{}.png"),
    "one folder, by suffix": ("{}.png", "{}_L.png"),
    "folders in folders": ("images/a/b/{}.png", "masks/a/b/{}.png"),
    "names of one's own": ("photographs/{}.png", "truth/{}.png"),
    "images above": ("{}.png", "masks/{}.png"),
    "labelme2voc": ("JPEGImages/{}.png", "SegmentationClassPNG/{}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_by_name(folder, layout):
    names_file(folder)
    folder.scenes(*LAYOUTS[layout])
    folder.check("folder", facts={"classes": CLASSES})


@pytest.mark.parametrize("form", ["{kind}/{split}/{{}}.png", "{split}/{kind}/{{}}.png"])
def test_splits_in_either_order(folder, scenes, form):
    for split, part in (("Train", (0, 1, 2)), ("VALID", (3,))):
        for number in part:
            name = f"scene_{number}"
            for kind, pixels in (("images", scenes[name].image), ("masks", scenes[name].labels)):
                folder.image(form.format(kind=kind, split=split).format(name), pixels)
    folder.check("folder", facts={"classes": CLASSES})
    assert folder.plan.counts == {"train": 3, "val": 1}


def grey(scene):
    return scene.labels


def with_alpha(scene):
    return np.stack([scene.labels, np.full_like(scene.labels, 255)], -1)


def as_rgb(scene):
    return np.repeat(scene.labels[..., None], 3, -1)


def wide(scene):
    return scene.labels.astype(np.uint16)


@pytest.mark.parametrize(
    "values, ending",
    [
        *((grey, ending) for ending in ("png", "tif", "bmp")),
        *((values, "png") for values in (with_alpha, as_rgb, wide)),
    ],
)
def test_indices_in_any_kind_of_file(folder, values, ending):
    folder.scenes("images/{}.png", f"labels/{{}}.{ending}", values)
    folder.check("folder", facts={"classes": CLASSES})


def test_arrays_and_matlab_files(folder, scenes):
    savemat = pytest.importorskip("scipy.io").savemat
    folder.scenes("images/{}.png")
    for number, (name, scene) in enumerate(scenes.items()):
        path = folder.root / f"labels/{name}"
        path.parent.mkdir(exist_ok=True)
        if number % 2:
            np.save(f"{path}.npy", scene.labels.astype(np.float32))
        else:
            savemat(f"{path}.mat", {"LabelMap": scene.labels.astype(np.uint16), "one": 1})
    folder.check("folder", facts={"classes": CLASSES})


def indexed(order):
    def write(scene):
        return np.argsort(order).astype(np.uint8)[scene.labels]

    return write


def test_palettes_that_disagree_give_way_to_their_colours(folder, scenes, colours):
    for number, (name, scene) in enumerate(scenes.items()):
        order = [0, 1, 2] if number % 2 else [0, 2, 1]
        folder.image(f"images/{name}.png", scene.image)
        folder.image(
            f"masks/{name}.png",
            indexed(order)(scene),
            palette=colours[order].ravel().tolist(),
        )
    found, info = folder.prepare()
    order = [info.palette.index(colour) for colour in colours.tolist()]
    for name, scene in scenes.items():
        np.testing.assert_array_equal(np.array(order)[scene.labels], found[name])
    assert any("palettes of the masks disagree" in note for note in folder.plan.notes)


BINARY = {
    "0 and 255": ("png", lambda mask: mask * np.uint8(255)),
    "0 and 1": ("png", lambda mask: mask.astype(np.uint8)),
    "1 bit": ("png", lambda mask: mask),
    "RGB": ("png", lambda mask: np.repeat(mask[..., None] * np.uint8(255), 3, -1)),
    "red on black": ("png", lambda mask: mask[..., None] * np.array([255, 0, 0], np.uint8)),
    "JPEG": ("jpg", lambda mask: mask * np.uint8(255)),
    "alpha": (
        "png",
        lambda mask: np.concatenate(
            [np.full((*mask.shape, 3), 200, np.uint8), mask[..., None] * np.uint8(255)], -1
        ),
    ),
}


@pytest.mark.parametrize("kind", BINARY)
def test_binary_masks(folder, scenes, kind):
    ending, values = BINARY[kind]
    folder.scenes("images/{}.png", f"masks/{{}}.{ending}", lambda scene: values(scene.labels > 0))
    found, info = folder.prepare()
    assert info.classes == ["background", "object"]
    wrong = [np.mean(found[name] != (scene.labels > 0)) for name, scene in scenes.items()]
    assert max(wrong) <= (0.01 if kind == "JPEG" else 0)
    assert check_dataset(folder.out).errors == []


def test_one_name_is_that_of_the_object(folder):
    folder.scenes("images/{}.png", "masks/{}.png", lambda scene: (scene.labels > 0) * np.uint8(255))
    assert folder.prepare(facts={"classes": ("crack",)})[1].classes == ["background", "crack"]


def test_255_is_a_class_where_a_map_says_so_and_ignored_elsewhere(folder, scenes):
    table = np.array([0, 1, 255], np.uint8)
    folder.scenes("images/{}.png", "masks/{}.png", lambda scene: table[scene.labels])
    found, info = folder.prepare()
    assert len(info.classes) == 2 and (found["scene_0"] == table[scenes["scene_0"].labels]).all()
    assert any("the value 255 is ignored" in note for note in folder.plan.notes)
    found, info = folder.prepare(facts={"label_map": {0: 0, 1: 1, 255: 2}})
    assert len(info.classes) == 3 and (found["scene_0"] == scenes["scene_0"].labels).all()


@pytest.mark.parametrize(
    "values, names",
    [
        ((300, 301, 307), ["value 300", "value 301", "value 307"]),
        ((0, 128, 255), ["value 0", "value 128", "value 255"]),
        ((1, 2, 3), ["class 0", "class 1", "class 2"]),
        ((0, 2, 5), [f"class {k}" for k in range(6)]),
    ],
)
def test_values_with_gaps(folder, scenes, values, names):
    table = np.array(values, np.uint16)
    folder.scenes("images/{}.png", "masks/{}.png", lambda scene: table[scene.labels])
    found, info = folder.prepare()
    assert info.classes == names
    expected = np.array(values if len(names) > 3 else (0, 1, 2))[scenes["scene_1"].labels]
    np.testing.assert_array_equal(found["scene_1"], expected)


def test_values_that_no_class_has(folder):
    folder.scenes("images/{}.png", "masks/{}.png", lambda scene: scene.labels * np.uint8(60))
    with pytest.raises(TfsegError, match=r"scene_0\.png has the value 120, but there are 3"):
        folder.prepare(facts={"classes": CLASSES})
    with pytest.raises(TfsegError, match=r"has the value 120; label_map has 0, 60, 255"):
        folder.prepare(facts={"label_map": {0: 0, 60: 1}})


def test_colours_are_counted_and_their_table_is_read_again(folder, scenes, colours):
    folder.scenes("images/{}.png", "masks/{}.png", lambda scene: colours[scene.labels])
    found, info = folder.prepare()
    order = [info.palette.index(colour) for colour in colours.tolist()]
    assert info.classes == ["background", "class 1", "class 2"] and order[0] == 0
    table = (folder.out / "colours.csv").read_text()
    assert table.startswith("name,red,green,blue\nbackground,0,0,0\n")
    folder.text("colours.csv", table.replace("class 1", "box").replace("class 2", "sign"))
    again, info = folder.prepare()
    assert sorted(info.classes) == sorted(CLASSES)
    for name, scene in scenes.items():
        np.testing.assert_array_equal(np.array(order)[scene.labels], found[name])
        np.testing.assert_array_equal(again[name], found[name])
    folder.text("colours.csv", "name,red,green,blue\nbackground,0,0,0\nbox,128,0,0\n")
    with pytest.raises(TfsegError, match=r"scene_0\.png has the colour \(0, 128, 64\), which no"):
        folder.prepare()


def smooth(pixels):
    """Antialiased: drawn three times as large and reduced."""
    picture = Image.fromarray(pixels)
    size = picture.size
    large = picture.resize((4 * size[0], 4 * size[1]), Image.Resampling.NEAREST)
    turned = large.rotate(3, Image.Resampling.NEAREST)
    return np.asarray(turned.resize(size, Image.Resampling.BOX))


def test_antialiased_edges_are_ignored_and_said(folder, scenes, colours):
    folder.scenes("images/{}.png", "masks/{}.png", lambda scene: smooth(colours[scene.labels]))
    found, info = folder.prepare()
    assert sorted(info.palette) == sorted(colours.tolist())
    share = np.mean([label == 255 for label in found.values()])
    assert 0.01 < share < 0.2
    assert any("edges between colours are ignored" in note for note in folder.plan.notes)


def test_coloured_jpeg_masks(folder, scenes, colours):
    for name, scene in scenes.items():
        folder.image(f"images/{name}.png", scene.image)
        # Larger than a JPEG's blocks.
        large = colours[scene.labels].repeat(8, 0).repeat(8, 1)
        folder.image(f"images/{name}.png", scene.image.repeat(8, 0).repeat(8, 1))
        folder.image(f"masks/{name}.jpg", large, quality=85)
    found, info = folder.prepare()
    assert len(info.classes) == 3
    nearest = [
        int(np.abs(np.array(info.palette) - colour).sum(1).argmin()) for colour in colours.tolist()
    ]
    for name, scene in scenes.items():
        expected = np.array(nearest)[scene.labels].repeat(8, 0).repeat(8, 1)
        wrong = found[name] != expected
        assert np.mean(wrong & (found[name] != 255)) < 0.02 and np.mean(wrong) < 0.1


def test_photographs_are_no_masks(folder, scenes):
    rng = np.random.default_rng(0)
    folder.scenes(
        "images/{}.png", "masks/{}.png", lambda _: rng.integers(0, 256, (24, 32, 3), np.uint8)
    )
    with pytest.raises(TfsegError, match="of which 0 could be classes"):
        folder.prepare()


def test_cvat(folder, scenes, colours):
    folder.scenes(
        "JPEGImages/{}.png", "SegmentationClass/{}.png", lambda scene: colours[scene.labels]
    )
    folder.scenes("JPEGImages/{}.png", "SegmentationObject/{}.png", lambda scene: scene.image)
    folder.text("labelmap.txt", CVAT)
    folder.text("ImageSets/Segmentation/default.txt", "\n".join(scenes))
    folder.check("cvat")
    folder.text("labelmap.txt", "box;1;2;3")
    with pytest.raises(TfsegError, match=r"labelmap\.txt, line 1: expected a class and its colour"):
        folder.prepare()


def test_void_is_no_class(folder, scenes, colours):
    """Wherever its line stands."""
    folder.scenes(
        "JPEGImages/{}.png", "SegmentationClass/{}.png", lambda scene: colours[scene.labels]
    )
    _, background, *others = CVAT.splitlines()
    folder.text("labelmap.txt", "\n".join([others[0], f"Void{background[10:]}", *others[1:]]))
    found, info = folder.prepare()
    assert info.classes == ["box", "sign"]
    assert any("void is ignored" in note for note in folder.plan.notes)
    for name, scene in scenes.items():
        wanted = np.where(scene.labels == 0, 255, scene.labels.astype(int) - 1)
        np.testing.assert_array_equal(found[name], wanted)


def test_voc(folder, scenes):
    for name, scene in scenes.items():
        folder.image(f"JPEGImages/{name}.png", scene.image)
        folder.image(f"SegmentationClass/{name}.png", scene.labels, palette=PALETTE)
    folder.text("ImageSets/Segmentation/train.txt", "scene_0\nscene_1\n")
    folder.text("ImageSets/Segmentation/val.txt", "scene_2\nscene_3\n")
    folder.text("ImageSets/Segmentation/trainval.txt", "\n".join(scenes))
    info = folder.check("voc", facts={"classes": CLASSES})
    assert folder.plan.counts == {"train": 2, "val": 2}
    assert info.palette == [[0, 0, 0], [128, 0, 0], [0, 128, 64]]


def test_roboflow(folder, scenes):
    for split, part in (("train", (0, 1, 2)), ("valid", (3,))):
        for number in part:
            name = f"scene_{number}"
            folder.image(f"{split}/{name}_jpg.rf.0a.png", scenes[name].image)
            folder.image(f"{split}/{name}_jpg.rf.0a_mask.png", scenes[name].labels)
        folder.text(f"{split}/_classes.csv", "Pixel Value, Class\n0, background\n1, box\n2, sign\n")
    folder.check("roboflow")
    assert folder.plan.counts == {"train": 3, "val": 1}
    folder.text("valid/_classes.csv", "Pixel Value, Class\n0, background\n1, sign\n")
    with pytest.raises(TfsegError, match=r"calls the value 1 sign, but .*/train/_classes"):
        folder.prepare()


def test_a_folder_with_lists(folder, scenes):
    folder.scenes("a/{}.webp", "b/{}.tif", lambda scene: scene.labels)
    names = list(scenes)
    for split, part in (("train", names[:3]), ("val", names[3:])):
        folder.text(f"{split}_images.txt", "".join(f"a/{name}.webp\n" for name in part))
        folder.text(f"{split}_labels.txt", "".join(f"b/{name}.tif\n" for name in part))
    DataInfo((0.1, 0.1, 0.1), (0.2, 0.2, 0.2), list(CLASSES)).save(folder.root)
    folder.check("lists")


@pytest.mark.parametrize("ending", ["tif", "bmp", "webp", "gif", "npy"])
def test_images_are_converted_without_loss(folder, scenes, ending):
    folder.scenes("images/{}.png", "labels/{}.png")
    pixels = scenes["scene_0"].image // 64 * 64
    (folder.root / "images/scene_0.png").unlink()
    if ending == "npy":
        np.save(folder.root / "images/scene_0.npy", pixels)
    else:
        options = {"lossless": True} if ending == "webp" else {}
        folder.image(f"images/scene_0.{ending}", pixels, **options)
    folder.check("folder", facts={"classes": CLASSES})
    np.testing.assert_array_equal(np.asarray(Image.open(folder.out / "images/scene_0.png")), pixels)
    assert check_dataset(folder.out, quick=True).errors == []


def test_pixels_stand_as_exif_says(folder, scenes):
    folder.scenes("images/{}.png", "labels/{}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.rot90(scenes["scene_0"].image)
    (folder.root / "images/scene_0.png").unlink()
    folder.image("images/scene_0.tif", turned, exif=exif)
    folder.image("images/scene_1.png", np.rot90(scenes["scene_1"].image), exif=exif)
    folder.check("folder", facts={"classes": CLASSES})
    stored = np.asarray(Image.open(folder.out / "images/scene_0.png"))
    np.testing.assert_array_equal(stored, scenes["scene_0"].image)
    assert check_dataset(folder.out).errors == []


def test_what_cannot_be_used_is_left_out_and_listed(folder, scenes):
    folder.scenes("images/{}.png", "labels/{}.png")
    folder.image("labels/scene_1.png", scenes["scene_1"].labels[1:])
    (folder.root / "labels/scene_2.png").write_bytes(b"no image")
    folder.image("images/scene_9.png", scenes["scene_0"].image)
    folder.image("labels/scene_8.png", scenes["scene_0"].labels)
    found, _ = folder.prepare()
    assert sorted(found) == ["scene_0", "scene_3"]
    rows = (folder.out / "skipped.csv").read_text().splitlines()
    assert rows[0] == "file,reason" and len(rows) == 5
    for file, reason in (
        ("images/scene_1.png", "is 32x23, but its image 32x24"),
        ("labels/scene_2.png", "is not an image"),
        ("images/scene_9.png", "an image without labels"),
        ("labels/scene_8.png", "a mask without an image"),
    ):
        assert any(f"{folder.root}/{file}," in row and reason in row for row in rows), file
    # Nothing of a pair that can't be used is written.
    assert sorted(path.name for path in folder.out.rglob("scene_*.png")) == 2 * ["scene_0.png"] + (
        2 * ["scene_3.png"]
    )


def test_images_without_masks(folder, scenes):
    folder.scenes("images/{}.png", "labels/{}.png")
    folder.image("images/scene_9.png", scenes["scene_0"].image)
    with pytest.raises(TfsegError, match=r"1 image has no labels, such as .*scene_9\.png"):
        folder.prepare(unlabelled="error")
    assert len(folder.prepare(unlabelled="skip")[0]) == 4
    found, _ = folder.prepare(unlabelled="background")
    assert not found["images/scene_9.png"].any() and len(found) == 5


def test_a_share_is_set_aside_and_scenes_stay_together(folder, scenes):
    scene = scenes["scene_0"]
    for video in "abcde":
        for frame in range(4):
            folder.image(f"images/{video}_{frame}.png", scene.image)
            folder.image(f"labels/{video}_{frame}.png", scene.labels)
    folder.prepare()
    assert folder.plan.counts == {"train": 16, "val": 4}
    (hint,) = [note for note in folder.plan.notes if "group_by" in note]
    pattern = hint.split("group_by=")[1].split("`")[0]
    for group_by in ("^[a-z]", pattern):
        folder.prepare(group_by=group_by)
        videos = [{item.name[0] for item in items} for items in folder.plan.splits.values()]
        assert [len(one) for one in videos] == [4, 1] and not videos[0] & videos[1]
    folder.prepare(val_share=0.0)
    assert folder.plan.counts == {"train": 20}
    with pytest.raises(TfsegError, match="is no regular expression"):
        folder.prepare(group_by="(")
    with pytest.raises(TfsegError, match=r"finds nothing in a_0\.png"):
        folder.prepare(group_by="z")


def test_nothing_that_matches(folder, scenes):
    scene = scenes["scene_0"]
    folder.image("images/apple.png", scene.image)
    folder.image("masks/zebra.png", scene.labels)
    with pytest.raises(TfsegError, match="1 image and 1 mask, but no names that match"):
        folder.prepare()
    with pytest.raises(TfsegError, match="`on_top` has no meaning with `format=folder`"):
        folder.prepare(options=Options(on_top="later"))
    with pytest.raises(TfsegError, match="unknown format 'labelm'; did you mean labelme"):
        folder.prepare(format="labelm")
    with pytest.raises(TfsegError, match="has none of the files of coco"):
        folder.prepare(format="coco")


@pytest.mark.parametrize(
    "images, masks, pairs",
    [
        ("a b c", "a b c", "a=a b=b c=c"),
        ("img1 img10 img2", "img1_m img10_m img2_m", "img1=img1_m img10=img10_m img2=img2_m"),
        ("x_sat y_sat", "x_mask y_mask", "x_sat=x_mask y_sat=y_mask"),
        ("rgb-001 rgb-002 rgb-003", "seg-001 seg-003", "rgb-001=seg-001 rgb-003=seg-003"),
        ("IMG_7 IMG_8", "IMG_7 IMG_8_mask", "IMG_7=IMG_7"),
        ("cat dog", "horse cow", ""),
    ],
)
def test_matching_by_affixes(images, masks, pairs):
    found, _ = affixes.match(images.split(), masks.split())
    assert found == dict(pair.split("=") for pair in pairs.split())


def test_rows_name_code_that_is_there():
    for row in IMPORT_FORMATS.values():
        assert callable(row.load()) and row.recognise.__doc__ and row.help


UNNAMED = "nothing names the classes, so they are called class 0, class 1, class 2: "


@pytest.mark.parametrize(
    ("text", "options", "note"),
    [
        (None, None, UNNAMED + "name them with `classes`, in this order"),
        ("\n".join(CLASSES), None, "class names are from classes.txt; `classes` gives others"),
        (None, Options(classes=CLASSES), None),
    ],
)
def test_where_the_names_are_from_is_said(folder, text, options, note):
    folder.scenes("images/{}.png", "masks/{}.png")
    if text:
        folder.text("classes.txt", text)
    folder.prepare(options=options)
    assert [one for one in folder.plan.notes if "name" in one and "validation" not in one] == (
        [note] if note else []
    )


def test_palettes_that_disagree_are_named_without_a_table(folder, scenes):
    # Its colours stand in the files, so no table is written that could be filled in.
    for number, (name, scene) in enumerate(scenes.items()):
        folder.image(f"images/{name}.png", scene.image)
        colours = np.roll(np.arange(12), 3 * (number % 2)).tolist()
        folder.image(f"masks/{name}.png", scene.labels, palette=colours)
    folder.prepare()
    notes = [note for note in folder.plan.notes if "nothing names the classes" in note]
    assert len(notes) == 1
    assert ("colours.csv" in notes[0]) == (folder.out / "colours.csv").exists()


@pytest.mark.parametrize(
    ("values", "called"),
    [
        (
            lambda scene: (scene.labels == 1) * np.uint8(255),
            "background, object: name them with `classes`",
        ),
        (
            lambda scene: scene.labels * np.uint8(60),
            "value 0, value 60, value 120: name them with `classes`",
        ),
        (
            lambda scene: np.array([[0, 0, 0], [128, 0, 0], [0, 128, 64]], np.uint8)[scene.labels],
            "background, class 1, class 2: name them in the data folder's colours.csv",
        ),
    ],
)
def test_what_nothing_names_says_how_to_name_it(folder, values, called):
    folder.scenes("images/{}.png", "masks/{}.png", values)
    folder.prepare()
    assert any(f"so they are called {called}" in note for note in folder.plan.notes)
