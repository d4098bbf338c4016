"""Exports a trained model to run without tfseg.

    python tools/export.py --run_dir=runs/camvid --output=exports/camvid/1
    python tools/export.py --run_dir=runs/camvid --format=onnx --output=camvid.onnx
    python tools/export.py --run_dir=runs/camvid --format=tflite_int8 --height=360 --width=480 \\
        --data_dir=data/camvid --output=camvid.tflite

Writes a SavedModel (with the signatures serving_default, images to labels; probabilities; and
encoded, JPEG or PNG files to PNG files of class indices), an ONNX file, or a TensorFlow Lite file.
Preprocessing is inside, batch norm folded. Nothing is left behind that computes something else
than the model: every export is checked first, and with --data_dir its labels and mean IoU on real
images are compared with those of the model in float32.
--eval_scales and its like become part of the export.
"""

import common
import protocol
import trained_model
from absl import flags

from tfseg import export
from tfseg.data import DataInfo, read_split
from tfseg.errors import TfsegError
from tfseg.serving import QUANTIZATIONS, export_onnx, export_tflite

FLAGS = flags.FLAGS
_TFLITE = tuple(f"tflite_{name}" for name in QUANTIZATIONS)

trained_model.define()
flags.DEFINE_enum("format", "saved_model", ["saved_model", "onnx", *_TFLITE], "What to write.")
flags.DEFINE_string(
    "output",
    None,
    "Folder of the SavedModel (TensorFlow Serving wants a version number as its name), or file.",
)
flags.DEFINE_integer("height", None, "With --width: the only height that images may have.", 1)
flags.DEFINE_integer("width", None, "With --height: the only width that images may have.", 1)
flags.DEFINE_integer("max_side", 4096, "SavedModel: largest height and width of any image.", 1)
flags.DEFINE_string(
    "data_dir",
    None,
    "Data folder to compare the export with the model on, and to calibrate int8. With --weights: "
    "also the one whose info.json has normalisation and palette.",
)
flags.DEFINE_string("calibration_split", "train", "tflite_int8: images to calibrate on.")
flags.DEFINE_string("split", "val", "With --data_dir: images to compare on; empty for none.")
protocol.define()


def main():
    common.require("output")
    if (FLAGS.height is None) != (FLAGS.width is None):
        raise TfsegError("--height and --width belong together: give both, or neither")
    image_size = (FLAGS.height, FLAGS.width) if FLAGS.height else None
    predictor = trained_model.load_predictor(protocol.read(), folded=False)
    if FLAGS.format in _TFLITE:
        common.require("height", "width")
    data = calibration = None
    if FLAGS.format == "tflite_int8":
        common.require("data_dir", "split")
        calibration = read_split(FLAGS.data_dir, FLAGS.calibration_split, labels=False)
    if FLAGS.data_dir and FLAGS.split:
        data = read_split(FLAGS.data_dir, FLAGS.split), DataInfo.load(FLAGS.data_dir)
    found = _export(predictor, {"image_size": image_size, "data": data}, calibration)
    print(f"exported to {FLAGS.output}")
    if "difference" in found:
        print(f"its probabilities differ by {found['difference']:.1e} at most on drawn images")
    if data:
        before, after = found["mean_iou"], found["mean_iou_exported"]
        print(
            f"{len(data[0])} images of {FLAGS.split}: {found['equal_labels']:.2%} of pixels get "
            f"the label of the model in float32; mean IoU {after:.4f}, the model's {before:.4f}"
        )


def _export(predictor, settings, calibration):
    if FLAGS.format == "saved_model":
        return export(predictor, FLAGS.output, max_side=FLAGS.max_side, **settings)
    if FLAGS.format == "onnx":
        return export_onnx(predictor, FLAGS.output, **settings)
    quantization = FLAGS.format.removeprefix("tflite_")
    return export_tflite(
        predictor, FLAGS.output, quantization=quantization, calibration=calibration, **settings
    )


if __name__ == "__main__":
    common.run(main)
