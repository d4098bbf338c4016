"""Exports a trained model to run without tfseg.

    tfseg export --run_dir=runs/camvid --output=exports/camvid/1
    tfseg export --run_dir=runs/camvid --format=onnx --output=camvid.onnx
    tfseg export --run_dir=runs/camvid --format=tflite_int8 --height=360 --width=480 \\
        --data_dir=data/camvid --output=camvid.tflite

Writes a SavedModel (with the signatures serving_default, images to labels; probabilities; and
encoded, JPEG or PNG files to PNG files of class indices), an ONNX file, or a TensorFlow Lite file.
Preprocessing is inside, batch norm folded. Every export is checked before it appears, and with
--data_dir its labels and mean IoU on real images are compared with those of the model in float32.
--eval_scales and its like become part of the export.
"""

from tfseg import workflows
from tfseg.cli import protocol, trained_model
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given, without
from tfseg.errors import TfsegError
from tfseg.serving.formats import EXPORT_FORMATS
from tfseg.words import counted

GROUPS = {
    "Model": trained_model.GROUP,
    "Export": "format output height width max_side json",
    "Comparison": "data_dir split calibration_split",
    "Protocol": protocol.GROUP,
}
NEEDS = {
    **trained_model.NEEDS,
    **protocol.NEEDS,
    "split": Need("--data_dir=FOLDER", given("data_dir")),
    "calibration_split": Need("--format=tflite_int8", lambda flags: flags.format == "tflite_int8"),
    "max_side": (
        Need(
            *("--format=saved_model", lambda flags: flags.format == "saved_model"),
            against="--format=onnx",
        ),
        Need("--height=360", without("height"), beside=True),
    ),
}


def define(flags: Flags) -> None:
    trained_model.define(flags)
    flags.choice(
        "format", "saved_model", EXPORT_FORMATS, f"What to write. {EXPORT_FORMATS.help()}."
    )
    flags.string(
        "output",
        None,
        "Folder of the SavedModel (TensorFlow Serving wants a version number as its name), or "
        "file.",
    )
    flags.integer("height", None, "With --width: the only height that images may have.", 1)
    flags.integer("width", None, "With --height: the only width that images may have.", 1)
    flags.integer("max_side", 4096, "SavedModel: largest height and width of any image.", 1)
    flags.string(
        "data_dir",
        None,
        "Data folder to compare the export with the model on, and to calibrate int8. With "
        "--weights: also the one whose info.json has normalisation and palette.",
    )
    flags.string("calibration_split", "train", "tflite_int8: images to calibrate on.")
    flags.string("split", "val", "With --data_dir: images to compare on; empty for none.")
    protocol.define(flags)
    flags.report()


def main(flags: Flags) -> None:
    flags.require("output")
    if (flags.height is None) != (flags.width is None):
        raise TfsegError("--height and --width belong together: give both, or neither")
    found = workflows.export(
        trained_model.read(flags),
        flags.output,
        flags.format,
        protocol=protocol.read(flags),
        image_size=(flags.height, flags.width) if flags.height else None,
        max_side=flags.max_side,
        data_dir=flags.data_dir,
        split=flags.split,
        calibration_split=flags.calibration_split,
    )
    flags.found = {"output": flags.output, "format": flags.format, **found}
    print(f"exported to {flags.output}")
    if "difference" in found:
        print(f"its probabilities differ by {found['difference']:.1e} at most on drawn images")
    if "images" in found:
        before, after = found["mean_iou"], found["mean_iou_exported"]
        print(
            f"{counted(found['images'], 'image')} of {flags.split}: {found['equal_labels']:.2%} of "
            f"pixels get the label of the model in float32; mean IoU {after:.4f}, the model's "
            f"{before:.4f}"
        )
