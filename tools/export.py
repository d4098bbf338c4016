"""Exports a trained model to run without tfseg.

    python tools/export.py --run_dir=runs/camvid --output=exports/camvid/1
    python tools/export.py --run_dir=runs/camvid --format=onnx --output=camvid.onnx
    python tools/export.py --run_dir=runs/camvid --format=tflite_int8 --height=360 --width=480 \\
        --data_dir=data/camvid --output=camvid.tflite

Writes a SavedModel (with the signatures serving_default, images to labels; probabilities; and
encoded, JPEG or PNG files to PNG files of class indices), an ONNX file, or a TensorFlow Lite file.
Preprocessing is inside, batch norm folded. Nothing is left behind that computes something else
than the model: every export is checked first, TensorFlow Lite with --data_dir by its mean IoU.
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
    "TensorFlow Lite: data folder to calibrate int8 and to measure mean IoU on. With --weights: "
    "the folder whose info.json has normalisation and palette.",
)
flags.DEFINE_string("calibration_split", "train", "TensorFlow Lite: images to calibrate on.")
flags.DEFINE_string("split", "val", "TensorFlow Lite: images to measure mean IoU on.")
protocol.define()


def main():
    common.require("output")
    if (FLAGS.height is None) != (FLAGS.width is None):
        raise TfsegError("--height and --width belong together: give both, or neither")
    image_size = (FLAGS.height, FLAGS.width) if FLAGS.height else None
    predictor = trained_model.load_predictor(protocol.read(), folded=False)
    if FLAGS.format in _TFLITE:
        return _export_tflite(predictor, image_size)
    if FLAGS.format == "onnx":
        worst = export_onnx(predictor, FLAGS.output, image_size=image_size)
    else:
        worst = export(predictor, FLAGS.output, image_size=image_size, max_side=FLAGS.max_side)
    print(f"exported to {FLAGS.output}: its probabilities differ by {worst:.1e} at most")


def _export_tflite(predictor, image_size):
    common.require("height", "width")
    quantization = FLAGS.format.removeprefix("tflite_")
    calibration = data = None
    if quantization == "int8":
        common.require("data_dir")
        calibration = read_split(FLAGS.data_dir, FLAGS.calibration_split, labels=False)
    if FLAGS.data_dir:
        data = read_split(FLAGS.data_dir, FLAGS.split), DataInfo.load(FLAGS.data_dir)
    found = export_tflite(
        predictor,
        FLAGS.output,
        image_size=image_size,
        quantization=quantization,
        calibration=calibration,
        data=data,
    )
    print(f"exported to {FLAGS.output}; {FLAGS.output}.json says what it is")
    if found:
        before, after = found["mean_iou"], found["mean_iou_exported"]
        print(f"mean IoU at this size: {before:.4f} before, {after:.4f} exported")


if __name__ == "__main__":
    common.run(main)
