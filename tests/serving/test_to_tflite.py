"""TensorFlow Lite files answer nearly as their models do, and say how nearly."""

import json

import numpy as np
import pytest
from PIL import Image

from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.serving import export_tflite, to_tflite
from tfseg.serving.verify import drawn_image

SIZE = (48, 64)


@pytest.fixture(scope="module")
def predictor(make_predictor):
    return make_predictor("resnet18_dilated8+ppm_bilinear")


@pytest.fixture(scope="module")
def data_dir(predictor, tmp_path_factory):
    """Pictures whose truth is what the model says of them: its mean IoU is 1."""
    folder = tmp_path_factory.mktemp("data")
    names = []
    for seed in range(4):
        image = drawn_image(SIZE, seed)
        Image.fromarray(image).save(folder / f"{seed}.png")
        Image.fromarray(predictor.predict(image)).save(folder / f"{seed}_label.png")
        names.append(str(seed))
    for split in ("train", "val"):
        (folder / f"{split}_images.txt").write_text("".join(f"{n}.png\n" for n in names))
    (folder / "val_labels.txt").write_text("".join(f"{n}_label.png\n" for n in names))
    info = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": predictor.spec.classes}
    (folder / "info.json").write_text(json.dumps(info))
    return folder


def run(path, image):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    interpreter.allocate_tensors()
    (inputs,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert inputs["dtype"] == outputs["dtype"] == np.uint8
    interpreter.set_tensor(inputs["index"], image[None])
    interpreter.invoke()
    return interpreter.get_tensor(outputs["index"])[0]


def test_float16(predictor, tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "model.tflite"
    assert export_tflite(predictor, path, image_size=SIZE) == {}
    image = drawn_image(SIZE, 5)
    assert np.mean(run(path, image) == predictor.predict(image)) > 0.99
    card = json.loads((tmp_path / "model.tflite.json").read_text())
    assert card["quantization"] == "float16" and card["image_size"] == list(SIZE)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(48, 64), (51, 67)])
def test_tensorflow_1_sampling(make_predictor, tmp_path, size):
    pytest.importorskip("ai_edge_litert")
    options = {"padding": "same", "sampling": "legacy", "multi_scale": (1, 0.5)}
    predictor = make_predictor("deeplab_v2_resnet50", {**options, "atrous_rates": (1, 2)})
    export_tflite(predictor, tmp_path / "model.tflite", image_size=size)
    image = drawn_image(size, 5)
    assert np.mean(run(tmp_path / "model.tflite", image) == predictor.predict(image)) > 0.99


@pytest.mark.slow
def test_int8_is_measured(predictor, data_dir, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr("tfseg.serving.compare.LARGEST_LOSS", 0.5)
    path = tmp_path / "model.tflite"
    found = export_tflite(
        predictor,
        path,
        image_size=SIZE,
        quantization="int8",
        calibration=read_split(data_dir, "train", labels=False),
        data=(read_split(data_dir, "val"), DataInfo.load(data_dir)),
    )
    assert found["mean_iou"] == 1.0
    image = drawn_image(SIZE, 0)
    share = np.mean(run(path, image) == predictor.predict(image))
    assert share > 0.97
    assert found["mean_iou_exported"] > 0.9


def test_colours_and_logits_are_no_integers():
    """What follows from no convolution, and what none follows from, by tensors."""
    operations = [
        {"op_name": name, "inputs": inputs, "outputs": outputs}
        for name, inputs, outputs in (
            ("MUL", [0], [1]),
            ("CONV_2D", [1], [2]),
            ("ADD", [2, 1], [3]),
            ("CONV_2D", [3], [4]),
            ("DEPTHWISE_CONV_2D", [3], [5]),
            ("ADD", [4, 5], [6]),
            ("ARG_MAX", [6], [7]),
        )
    ]
    assert sorted(to_tflite._outer(operations)) == [1, 4, 5, 6, 7]


@pytest.mark.slow
def test_int8_that_loses_too_much_is_not_written(predictor, data_dir, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr("tfseg.serving.compare.LARGEST_LOSS", -0.5)
    with pytest.raises(TfsegError, match="would lower the mean IoU from 1"):
        export_tflite(
            predictor,
            tmp_path / "model.tflite",
            image_size=SIZE,
            quantization="int8",
            calibration=read_split(data_dir, "train", labels=False),
            data=(read_split(data_dir, "val"), DataInfo.load(data_dir)),
        )
    assert list(tmp_path.iterdir()) == []


def test_int8_without_images(predictor, tmp_path):
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(TfsegError, match="images to calibrate on"):
        export_tflite(predictor, tmp_path / "m.tflite", image_size=SIZE, quantization="int8")
