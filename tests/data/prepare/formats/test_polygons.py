"""Formats of polygons and run lengths: what they draw, and that nothing odd gets through."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfseg.data.prepare.formats import coco, label_studio, labelme, raster, yolo
from tfseg.data.prepare.formats.found import Options
from tfseg.data.prepare.formats.tree import Tree
from tfseg.errors import TfsegError
from tfseg.files import parse_json

NAMES = {1: "box", 2: "sign"}
# LabelMe's points are pixels' centres, and their edge belongs to the shape.
INNER = np.array([[0, 0], [-1, 0], [-1, -1], [0, -1]])


def encoded(mask):
    """COCO's run lengths of a mask, column by column, beginning with zeros."""
    flat = mask.T.ravel()
    runs = [(bool(value), len(list(group))) for value, group in itertools.groupby(flat)]
    return ([0] if runs[0][0] else []) + [length for _, length in runs]


def compressed(counts):
    """COCO's text of run lengths, as its own encoder writes it."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = not (value == 0 and not bits & 16) and not (value == -1 and bits & 16)
            text += chr(48 + (bits | 32 if more else bits))
    return text


def labelme_json(name, shapes):
    return {"imagePath": f"{name}.png", "imageWidth": 32, "imageHeight": 24, "shapes": shapes}


def test_labelme(folder, scenes):
    folder.scenes("{}.png")
    for name, scene in scenes.items():
        shapes = [
            {"label": NAMES[index], "points": (np.array(points) + INNER).tolist()}
            for index, points in scene.shapes
        ]
        folder.text(f"{name}.json", labelme_json(name, shapes))
    folder.check("labelme")
    assert "the later of two objects lies on top" in folder.plan.notes
    assert "class names are from the labels of the shapes" in folder.plan.notes


@pytest.mark.parametrize(
    ("format", "classes"),
    [
        ("labelme", ("sign", "box")),
        ("labelme", ("box", "_background_", "sign")),
        ("labelme", ("__ignore__", "sign", "box")),
        ("yolo", ("sign", "box")),
        ("yolo", ("box", "_background_", "sign")),
    ],
)
def test_names_that_are_given_are_those_of_what_is_drawn(folder, scenes, format, classes):
    found = [name for name in classes if name in NAMES.values()]
    for name, scene in scenes.items():
        folder.image(f"images/{name}.png", scene.image)
        if format == "labelme":
            shapes = [
                {"label": NAMES[index], "points": (np.array(points) + INNER).tolist()}
                for index, points in scene.shapes
            ]
            folder.text(f"images/{name}.json", labelme_json(name, shapes))
        else:
            numbers = {index: classes.index(NAMES[index]) for index in NAMES}
            lines = [yolo_line(1 + numbers[index], points) for index, points in scene.shapes]
            folder.text(f"labels/{name}.txt", "\n".join(lines))
    info = folder.check(
        format, edges=True, options=Options(classes=classes), facts={"classes": classes}
    )
    assert [name for name in info.classes if name != "background"] == found


def drawn(shapes, on_top=None, size=(32, 24)):
    """The label map of LabelMe's shapes, with a = 1, b = 2."""
    content = {"path": "x", "image": "x", "size": size, "shapes": []}
    for shape in shapes:
        row = {"kind": "polygon", "group": None, "mask": None, **shape}
        content["shapes"].append({**row, "points": np.array(row["points"], float)})
    indices = {"a": 1, "b": 2, "__ignore__": 255}
    return labelme.draw_annotation(content, indices, 0, on_top, size)


SQUARE = [[2, 2], [11, 2], [11, 11], [2, 11]]
INSIDE = [[5, 5], [8, 5], [8, 8], [5, 8]]


def test_labelmes_kinds_of_shapes():
    rectangle = drawn([{"label": "a", "kind": "rectangle", "points": [[11, 11], [2, 2]]}])
    np.testing.assert_array_equal(rectangle, drawn([{"label": "a", "points": SQUARE}]))
    assert rectangle.sum() == 100
    disc = drawn([{"label": "b", "kind": "circle", "points": [[12, 12], [20, 12]]}])
    assert np.count_nonzero(disc) == pytest.approx(np.pi * 8.5**2, rel=0.05)
    assert np.count_nonzero(disc == disc[:, ::-1]) > 0 and disc[12, 12] == 2
    line = drawn([{"label": "a", "kind": "line", "points": [[2, 12], [28, 12]]}])
    assert np.count_nonzero(line[:, 15]) in (9, 10, 11)
    point = drawn([{"label": "a", "kind": "point", "points": [[16, 12]]}])
    assert point[12, 16] == 1 and 60 < point.sum() < 110
    ignored = drawn([{"label": "a", "points": SQUARE}, {"label": "__ignore__", "points": INSIDE}])
    assert np.count_nonzero(ignored == 255) == 16


def test_shapes_of_a_group_have_holes_and_are_one():
    parts = [
        {"label": "a", "points": SQUARE, "group": 1},
        {"label": "a", "points": INSIDE, "group": 1},
    ]
    for shapes in (parts, parts[::-1]):
        assert drawn(shapes).sum() == 100 - 16
    # Of another group, label or place it is no hole.
    assert drawn([parts[0], {**parts[1], "group": 2}]).sum() == 100
    assert drawn([parts[0], {**parts[1], "label": "b"}]).sum() == 84 + 2 * 16
    aside = {**parts[1], "points": [[20, 5], [23, 5], [23, 8], [20, 8]]}
    assert drawn([parts[0], aside]).sum() == 100 + 16


@pytest.mark.parametrize("rule, on_top", [("later", 1), ("earlier", 2), ("smaller", 2)])
def test_what_lies_on_top(rule, on_top):
    shapes = [{"label": "b", "points": INSIDE}, {"label": "a", "points": SQUARE}]
    assert drawn(shapes, rule)[6, 6] == on_top


def coco_json(scenes, segmentation):
    """Instances of all scenes; `segmentation` is a function of a scene and one of its shapes."""
    annotations = []
    for number, scene in enumerate(scenes.values()):
        # The smaller object comes first: it lies on top by its size alone.
        for index, points in scene.shapes[::-1]:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 10 * index,
                    "segmentation": segmentation(scene, index, points),
                    "iscrowd": 0,
                }
            )
    images = [
        {"id": k, "file_name": f"{name}.png", "width": 32, "height": 24}
        for k, name in enumerate(scenes)
    ]
    categories = [{"id": 10 * index, "name": name} for index, name in NAMES.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def polygons(_, index, points):
    return [np.ravel(points).tolist()]


def runs(scene, index, _):
    return {"size": [24, 32], "counts": encoded(scene.labels == index)}


def short_runs(scene, index, points):
    return {"size": [24, 32], "counts": compressed(runs(scene, index, points)["counts"])}


@pytest.mark.parametrize(
    "segmentation, edges", [(polygons, True), (runs, False), (short_runs, False)]
)
def test_coco(folder, scenes, segmentation, edges):
    folder.scenes("images/{}.png")
    folder.text("annotations/instances.json", coco_json(scenes, segmentation))
    folder.check("coco", edges=edges)
    folder.check("coco", source=folder.root / "annotations/instances.json", edges=edges)


def test_coco_in_files_of_splits_with_images_without_objects(folder, scenes):
    folder.scenes("val2017/{}.png")
    whole = coco_json(scenes, runs)
    for split, part in (("train", [0]), ("val", [1, 2, 3])):
        kept = {**whole, "images": [one for one in whole["images"] if one["id"] in part]}
        # Image 3 shows nothing.
        kept["annotations"] = [
            one for one in whole["annotations"] if one["image_id"] in set(part) - {3}
        ]
        folder.text(f"annotations/instances_{split}2017.json", kept)
    found, _ = folder.prepare()
    assert folder.plan.counts == {"train": 1, "val": 3}
    assert not found["scene_3"].any() and found["scene_2"].any()


def test_coco_panoptic(folder, scenes):
    folder.scenes("images/{}.png")
    content = coco_json(scenes, runs)
    content["categories"].append({"id": 0, "name": "background"})
    content["annotations"] = []
    ids = {0: 70000, 1: 300, 2: 12}
    for number, (name, scene) in enumerate(scenes.items()):
        values = np.vectorize(ids.get)(scene.labels)
        pixels = np.stack([values & 255, values >> 8 & 255, values >> 16], -1).astype(np.uint8)
        folder.image(f"annotations/panoptic/{name}.png", pixels)
        segments = [{"id": ids[index], "category_id": 10 * index} for index in (0, 1, 2)]
        row = {"image_id": number, "file_name": f"{name}.png", "segments_info": segments}
        content["annotations"].append(row)
    folder.text("annotations/panoptic.json", content)
    folder.check("coco")


def yolo_line(index, points):
    values = np.array(points) / [32, 24]
    return f"{index - 1} {' '.join(f'{value:.6f}' for value in values.ravel())}"


@pytest.mark.parametrize("width", [7, 480, 641, 1999])
def test_corners_of_yolos_survive_their_decimals(width, tmp_path):
    """Polygons from pixel's centre to pixel's centre are the pixels that they were drawn on."""
    for left in range(1, width - 4, 3 if width < 500 else 37):
        corners = np.array([[left, 1], [left + 2, 1], [left + 2, 3], [left, 3]]) + 0.5
        line = " ".join(f"{value:.6f}" for value in (corners / [width, 7]).ravel())
        (tmp_path / "a.txt").write_text(f"0 {line}\n")
        found = yolo.draw(str(tmp_path / "a.txt"), 1, 1, 0, None, (width, 7))
        wanted = np.zeros((7, width), int)
        wanted[1:4, left : left + 3] = 1
        np.testing.assert_array_equal(found, wanted)


def test_yolo(folder, scenes):
    for split, names in (("train", list(scenes)[:3]), ("valid", list(scenes)[3:])):
        for name in names:
            folder.image(f"{split}/images/{name}.png", scenes[name].image)
            lines = [yolo_line(*shape) for shape in scenes[name].shapes]
            folder.text(f"{split}/labels/{name}.txt", "\n".join(lines))
    folder.text("data.yaml", "names:\n  0: box\n  1: sign\nnc: 2\n")
    folder.check("yolo", edges=True)
    assert folder.plan.counts == {"train": 3, "val": 1}
    # An image without a text file shows nothing.
    folder.image("train/images/empty.png", scenes["scene_0"].image)
    found, _ = folder.prepare()
    assert not found["images/train/images/empty.png"].any()


def test_label_studio(folder, scenes):
    folder.scenes("upload/1a2b3c4d-{}.png")
    tasks = []
    for number, (name, scene) in enumerate(scenes.items()):
        results = [
            {
                "type": "polygonlabels",
                "value": {
                    "points": (np.array(points) / [32, 24] * 100).tolist(),
                    "polygonlabels": [NAMES[index]],
                },
            }
            for index, points in scene.shapes
        ]
        image = f"/data/upload/7/1a2b3c4d-{name}.png"
        tasks.append({"id": number, "data": {"image": image}, "annotations": [{"result": results}]})
    folder.text("export.json", tasks)
    folder.check("label_studio", edges=True)


def test_label_studios_brush(folder, scenes):
    folder.scenes("images/{}.png")
    for number, scene in enumerate(scenes.values()):
        for index, name in NAMES.items():
            pixels = ((scene.labels == index) * 255).astype(np.uint8)
            folder.image(f"masks/task-{number}-annotation-9-by-1-tag-{name}-0.png", pixels)
    folder.check("label_studio")


def test_an_annotation_of_another_image_is_left_out(folder, scenes):
    folder.scenes("{}.png")
    for name, scene in scenes.items():
        shapes = [{"label": "box", "points": scene.shapes[0][1]}]
        folder.text(f"{name}.json", labelme_json(name, shapes))
    folder.text("scene_1.json", {**labelme_json("scene_1", []), "imageWidth": 33})
    folder.text("scene_2.json", "{")
    found, _ = folder.prepare()
    assert sorted(found) == ["scene_0", "scene_3"]
    reasons = dict(folder.plan.skipped)
    (size,) = [reason for file, reason in reasons.items() if file.endswith("scene_1.png")]
    assert "drawn on an image of 33x24, but scene_1.png is 32x24" in size
    assert "not valid JSON" in reasons[str(folder.root / "scene_2.json")]
    assert "scene_1.png" in (folder.out / "skipped.csv").read_text()


def test_run_lengths_are_what_the_formats_own_coder_writes():
    # pycocotools' text of a mask of 4x3 with a square in it.
    mask = np.zeros((3, 4), bool)
    mask[1:, 1:3] = True
    assert encoded(mask) == [4, 2, 1, 2, 3] and compressed(encoded(mask)) == "421" + "02"
    np.testing.assert_array_equal(raster.run_lengths("42102", (4, 3), "x").mask, mask)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_run_lengths_go_there_and_back(width, height, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    for counts in (encoded(mask), compressed(encoded(mask))):
        np.testing.assert_array_equal(raster.run_lengths(counts, (width, height), "x").mask, mask)


@pytest.mark.parametrize(
    "counts", [[2**62, 1], [-1, 13], ["1"], None, "", "~", [12, True], "o" * 99, [6, 5]]
)
def test_run_lengths_that_fill_no_image(counts):
    with pytest.raises(TfsegError, match="run lengths"):
        raster.run_lengths(counts, (4, 3), "x")


# What JSON may hold where something else is expected.
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ODD = st.recursive(ODD, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x))
SPOTS = {
    "labelme": labelme_json("a", [{"label": "a", "points": SQUARE, "shape_type": "polygon"}]),
    "coco": {
        "images": [{"id": 1, "file_name": "a.png", "width": 32, "height": 24}],
        "categories": [{"id": 1, "name": "box"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0},
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": [768]}},
            {"image_id": 1, "file_name": "a", "segments_info": [{"id": 1, "category_id": 1}]},
        ],
    },
    "label_studio": [
        {
            "id": 1,
            "data": {"image": "a.png"},
            "annotations": [
                {
                    "result": [
                        {
                            "type": "polygonlabels",
                            "value": {"points": SQUARE, "polygonlabels": ["box"]},
                        }
                    ]
                }
            ],
        }
    ],
}


@st.composite
def spoiled(draw, kind):
    """A file of a format, in which one thing is replaced by any other."""
    value = parse_json(json.dumps(SPOTS[kind]))
    place, parent, key = value, [value], 0
    while isinstance(place, dict | list) and place and draw(st.integers(0, 5)):
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        parent, key = place, draw(st.sampled_from(list(keys)))
        place = place[key]
    parent[key] = draw(ODD)
    return value


@pytest.mark.parametrize("kind", SPOTS)
def test_any_file_is_read_or_refused(tmp_path, kind):
    path = tmp_path / "a.json"
    (tmp_path / "a.png").write_bytes(b"")

    @given(spoiled(kind))
    def read(content):
        path.write_text(json.dumps(content))
        try:
            if kind == "labelme":
                content = labelme.read_annotation(str(path))
                labels = {shape["label"]: 1 for shape in content["shapes"]}
                labelme.draw_annotation(content, labels, 0, None, (32, 24))
            elif kind == "label_studio":
                for task in label_studio.read_tasks(str(path), content).values():
                    objects = [(1, one) for one in task["objects"]]
                    label_studio.draw([], objects, 0, None, (32, 24))
            else:
                tree = Tree(str(path))
                found = coco.read(tree, Options())
                for item in found.items:
                    if callable(item.label):
                        item.label((32, 24))
        except TfsegError as error:
            assert len(str(error).splitlines()) == 1 and len(str(error)) < 1000

    read()


@given(st.text(alphabet="0123456789. -e+\n\tnaxif", max_size=80))
def test_any_text_of_yolos_is_read_or_refused(text):
    try:
        rows = yolo.read_labels("x.txt", text)
    except TfsegError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(np.isfinite(points).all() for _, points in rows)


@given(st.text(max_size=40) | st.builds("names: {}".format, st.text(max_size=40)))
def test_any_yaml_is_read_or_refused(text):
    try:
        assert yolo.read_names("data.yaml", text)
    except TfsegError as error:
        assert len(str(error).splitlines()) == 1
